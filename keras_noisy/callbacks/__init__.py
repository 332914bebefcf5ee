"""Callbacks for training with noisy labels."""

from keras_noisy.callbacks.evaluate_center import EvaluateCenter
from keras_noisy.callbacks.label_quality import LabelQuality
from keras_noisy.callbacks.refresh_batch_norm import RefreshBatchNorm
from keras_noisy.callbacks.resume import Resume
from keras_noisy.callbacks.weight_norm import WeightNorm

__all__ = [
    "EvaluateCenter",
    "LabelQuality",
    "RefreshBatchNorm",
    "Resume",
    "WeightNorm",
]
