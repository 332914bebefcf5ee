"""The old place of `keras_noisy.losses.RobustLoss`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__, {"RobustLoss": "keras_noisy.losses.RobustLoss"}
)
