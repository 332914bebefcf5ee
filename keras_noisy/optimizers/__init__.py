"""Optimizers that search for wide flat minima."""

from keras_noisy.optimizers.entropy_sgd import EntropySGD

__all__ = ["EntropySGD"]
