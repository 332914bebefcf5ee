"""Hyperparameters of a loss from the number of classes alone."""

from keras_noisy.calibration.average_error import average_error
from keras_noisy.calibration.margin_fade import MarginFade
from keras_noisy.calibration.margin_scale import matched_margin_scale
from keras_noisy.calibration.matching import (
    matched_hyperparameter,
    matched_logit_bias,
)
from keras_noisy.calibration.network import (
    LogitDistribution,
    calibrate,
    logit_distribution,
)
from keras_noisy.calibration.plot import plot_average_error
from keras_noisy.calibration.plot_margin import plot_margin_error

__all__ = [
    "LogitDistribution",
    "MarginFade",
    "average_error",
    "calibrate",
    "logit_distribution",
    "matched_hyperparameter",
    "matched_logit_bias",
    "matched_margin_scale",
    "plot_average_error",
    "plot_margin_error",
]
