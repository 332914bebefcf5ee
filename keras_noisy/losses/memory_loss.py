"""The old place of `keras_noisy.losses.MemoryLoss`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__, {"MemoryLoss": "keras_noisy.losses.MemoryLoss"}
)
