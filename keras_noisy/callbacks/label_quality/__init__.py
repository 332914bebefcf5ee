"""Find wrong labels in a training set while a model trains on it."""

from keras_noisy.callbacks.label_quality.callback import LabelQuality
from keras_noisy.callbacks.label_quality.findings import Findings

__all__ = ["Findings", "LabelQuality"]
