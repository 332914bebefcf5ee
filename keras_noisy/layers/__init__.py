"""Layers that losses and training need."""

from keras_noisy.layers.calibration_fade import CalibrationFade
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.layers.without_state import without_state

__all__ = ["CalibrationFade", "SampleMemory", "without_state"]
