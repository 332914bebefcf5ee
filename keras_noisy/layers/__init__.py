"""Layers that losses and training need."""

from keras_noisy.layers.calibration_fade import CalibrationFade
from keras_noisy.layers.sample_memory import SampleMemory

__all__ = ["CalibrationFade", "SampleMemory"]
