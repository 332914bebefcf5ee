"""Metrics for training with noisy labels, and scores that find them."""

from keras_noisy.metrics.clean_accuracy import CleanAccuracy
from keras_noisy.metrics.label_accuracy import LabelAccuracy
from keras_noisy.metrics.label_quality import LabelQuality
from keras_noisy.metrics.memorization_rate import MemorizationRate

__all__ = [
    "CleanAccuracy",
    "LabelAccuracy",
    "LabelQuality",
    "MemorizationRate",
]
