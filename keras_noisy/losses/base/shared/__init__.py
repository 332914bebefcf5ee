"""The arguments that every loss has, one file each."""

from keras_noisy.losses.base.shared.balance import Balance
from keras_noisy.losses.base.shared.fade import Fade, FadeKey
from keras_noisy.losses.base.shared.from_logits import FromLogits
from keras_noisy.losses.base.shared.ignore_class import IgnoreClass
from keras_noisy.losses.base.shared.label_smoothing import LabelSmoothing
from keras_noisy.losses.base.shared.logit_adjustment import (
    LogitAdjustment,
    Tau,
)
from keras_noisy.losses.base.shared.logit_bias import LogitBias
from keras_noisy.losses.base.shared.logit_clip import LogitClip
from keras_noisy.losses.base.shared.logit_normalization import (
    LogitNormalization,
)
from keras_noisy.losses.base.shared.margin_scale import MarginScale
from keras_noisy.losses.base.shared.num_classes import NumClasses

__all__ = [
    "Balance",
    "Fade",
    "FadeKey",
    "FromLogits",
    "IgnoreClass",
    "LabelSmoothing",
    "LogitAdjustment",
    "LogitBias",
    "LogitClip",
    "LogitNormalization",
    "MarginScale",
    "NumClasses",
    "Tau",
]
