"""Models for data with inherently noisy labels."""

from keras_noisy.models.piagnn import PIAGNN
from keras_noisy.models.srgnn import SRGNN

__all__ = ["PIAGNN", "SRGNN"]
