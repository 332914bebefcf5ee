"""Callbacks for training with noisy labels."""

from keras_noisy.callbacks.label_quality import LabelQuality
from keras_noisy.callbacks.resume import Resume

__all__ = ["LabelQuality", "Resume"]
