"""Models for data in which labels are noisy by nature."""

from keras_noisy.models.piagnn import PIAGNN
from keras_noisy.models.srgnn import SRGNN

__all__ = ["PIAGNN", "SRGNN"]
