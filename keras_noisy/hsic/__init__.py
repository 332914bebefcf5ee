"""Dependence of the rows of a batch, by the Hilbert-Schmidt criterion."""

from keras_noisy.hsic.dependence import hsic, normalized_hsic
from keras_noisy.hsic.kernel import gaussian_kernel
from keras_noisy.hsic.units import assign_units, unit_accuracy

__all__ = [
    "assign_units",
    "gaussian_kernel",
    "hsic",
    "normalized_hsic",
    "unit_accuracy",
]
