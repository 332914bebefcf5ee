"""Metrics for training with noisy labels."""

from keras_noisy.metrics.label_accuracy import LabelAccuracy

__all__ = ["LabelAccuracy"]
