"""The old place of `keras_noisy.losses.NormalizedLoss`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__, {"NormalizedLoss": "keras_noisy.losses.NormalizedLoss"}
)
