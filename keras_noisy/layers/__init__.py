"""Layers that losses and training need."""

from keras_noisy.layers.calibration_fade import CalibrationFade
from keras_noisy.layers.cosine_dense import CosineDense
from keras_noisy.layers.frozen import Frozen
from keras_noisy.layers.gaussian_cloud import GaussianCloud
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.layers.without_state import without_state

__all__ = [
    "CalibrationFade",
    "CosineDense",
    "Frozen",
    "GaussianCloud",
    "SampleMemory",
    "without_state",
]
