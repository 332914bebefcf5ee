"""Callbacks for training with noisy labels."""

from keras_noisy.callbacks.resume import Resume

__all__ = ["Resume"]
