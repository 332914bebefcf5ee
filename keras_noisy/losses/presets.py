"""The pairs of losses that papers propose, with their published weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from keras_noisy._arguments import choice, integer
from keras_noisy.losses.active_passive import ActivePassive
from keras_noisy.losses.ael import AEL
from keras_noisy.losses.agce import AGCE
from keras_noisy.losses.amse import AMSE
from keras_noisy.losses.aul import AUL
from keras_noisy.losses.base.robust_loss import RobustLoss
from keras_noisy.losses.epsilon_softmax_ce import EpsilonSoftmaxCE
from keras_noisy.losses.gce import GCE
from keras_noisy.losses.mae import MAE
from keras_noisy.losses.nce import NCE
from keras_noisy.losses.nfl import NFL
from keras_noisy.losses.nnce import NNCE
from keras_noisy.losses.nnfl import NNFL
from keras_noisy.losses.rce import RCE

#: Number of classes of each data set; WebVision uses the first 50 classes.
DATA_SETS = {"mnist": 10, "cifar10": 10, "cifar100": 100, "webvision": 50}

MA = (
    "Ma et al., Normalized loss functions for deep learning with noisy "
    "labels, ICML 2020, arXiv 2006.13554"
)
ZHOU = (
    "Zhou et al., Asymmetric loss functions for learning with noisy labels, "
    "ICML 2021, arXiv 2106.03110"
)
YE = (
    "Ye et al., Active negative loss functions for learning with noisy "
    "labels, NeurIPS 2023"
)


class Preset(NamedTuple):
    """A pair of losses and its weights on some of `DATA_SETS`, in order."""

    active: type[RobustLoss]
    passive: type[RobustLoss]
    paper: str
    weights: dict[str, tuple[float, float]]
    active_arguments: Mapping[str, dict[str, float]] = MappingProxyType({})
    passive_arguments: Mapping[str, dict[str, float]] = MappingProxyType({})


def _on(*values: Any) -> dict[str, Any]:
    """Values on MNIST, CIFAR-10, CIFAR-100 and WebVision; None is unknown."""
    pairs = zip(DATA_SETS, values, strict=False)
    return {name: value for name, value in pairs if value is not None}


def _each(**values: tuple) -> dict[str, dict[str, float]]:
    """Hyperparameters on the data sets."""
    columns = {name: _on(*column) for name, column in values.items()}
    data_sets = next(iter(columns.values()))
    return {
        data_set: {name: columns[name][data_set] for name in columns}
        for data_set in data_sets
    }


PLAIN = _on((1, 10), (1, 1), (10, 1), (50, 1))
WITH_RCE = _on((1, 10), (1, 1), (10, 0.1), (50, 0.1))
NEGATIVE = _on((1, 1), (5, 5), (10, 1), (20, 1))
# The weights next to a normalized loss are meant for 1 - p_y, which is
# GCE(q=1) and half of the MAE of this package.
UNIT_MAE = _each(q=(1.0, 1.0, 1.0, 1.0))

PRESETS = {
    "NCE+RCE": Preset(NCE, RCE, MA, WITH_RCE),
    "NCE+MAE": Preset(NCE, GCE, MA, PLAIN, passive_arguments=UNIT_MAE),
    "NFL+RCE": Preset(NFL, RCE, MA, WITH_RCE),
    "NFL+MAE": Preset(NFL, GCE, MA, PLAIN, passive_arguments=UNIT_MAE),
    "NCE+AGCE": Preset(
        NCE,
        AGCE,
        ZHOU,
        _on((0, 1), (1, 4), (10, 0.1), (50, 0.1)),
        passive_arguments=_each(a=(4, 6, 1.8, 2.5), q=(0.2, 1.5, 3, 3)),
    ),
    "NCE+AUL": Preset(
        NCE,
        AUL,
        ZHOU,
        _on((0, 1), (1, 4), (10, 0.015)),
        passive_arguments=_each(a=(3, 6.3, 6), q=(0.1, 1.5, 3)),
    ),
    "NCE+AEL": Preset(
        NCE,
        AEL,
        ZHOU,
        _on((0, 1), (1, 4), (10, 0.1)),
        passive_arguments=_each(a=(3.5, 5, 1.5)),
    ),
    "ANL-CE": Preset(NCE, NNCE, YE, NEGATIVE),
    "ANL-FL": Preset(NFL, NNFL, YE, NEGATIVE),
    "ECE+MAE": Preset(
        EpsilonSoftmaxCE,
        MAE,
        "Wang et al., Epsilon-softmax: approximating one-hot vectors for "
        "mitigating label noise, NeurIPS 2024, arXiv 2508.02387",
        _on(None, (0.01, 5), (0.03, 1), (0.015, 0.3)),
        active_arguments=_each(m=(None, 1e5, 1e4, 1e3)),
    ),
    "JAL-CE": Preset(
        NCE,
        AMSE,
        "Wang et al., Joint asymmetric loss for learning with noisy labels, "
        "ICCV 2025, arXiv 2507.17692",
        _on(None, (1, 1), (5, 1), (50, 1)),
        passive_arguments=_each(a=(None, 30, 20, 30)),
    ),
}


def preset(
    pair_name: str,
    /,
    data_set: str | None = None,
    num_classes: int | None = None,
    **arguments: Any,
) -> ActivePassive:
    """The pair with a name in `PRESETS`, as published for a data set."""
    pair = PRESETS[pair_name]
    if data_set is None:
        data_set = _nearest(pair, num_classes)
    data_set = choice("data_set", data_set, pair.weights)
    alpha, beta = pair.weights[data_set]
    return ActivePassive(
        **{
            "active": pair.active(**pair.active_arguments.get(data_set, {})),
            "passive": pair.passive(**pair.passive_arguments.get(data_set, {})),
            "alpha": float(alpha),
            "beta": float(beta),
            "num_classes": num_classes,
            "name": pair_name,
            **arguments,
        }
    )


def _nearest(pair: Preset, num_classes: int | None) -> str:
    """The data set with the nearest number of classes, or else CIFAR-10."""
    if num_classes is None:
        return "cifar10"
    num_classes = integer("num_classes", num_classes, 2)

    def distance(data_set: str) -> float:
        return abs(math.log(num_classes / DATA_SETS[data_set]))

    return min((name for name in pair.weights if name != "mnist"), key=distance)
