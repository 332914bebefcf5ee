"""The old place of `keras_noisy.losses.DistributionLoss`."""

from keras_noisy._old_names import old_names

__getattr__ = old_names(
    __name__, {"DistributionLoss": "keras_noisy.losses.DistributionLoss"}
)
