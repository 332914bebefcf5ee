"""Layers that losses and training need."""

from keras_noisy.layers.sample_memory import SampleMemory

__all__ = ["SampleMemory"]
