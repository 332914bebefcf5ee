"""The matching rule: the error of few classes, and where it is met."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_noisy.calibration.average_error import as_calibratable, errors_at
from keras_noisy.calibration.fresh import Calibratable, Fresh

#: Robust losses are known to train with this many classes.
REFERENCE_CLASSES = 10
NO_TRANSFORM = {"logit_clip": None, "logit_normalization": None}
#: A prior fits one number of classes; the reference classes have even shares.
NO_PRIOR = {"logit_adjustment": None}


class NoMatch(ValueError):
    """No value gives the required error: the finding, and what to do."""

    def __init__(self, finding: str, advice: str):
        super().__init__(f"{finding}. {advice}")
        self.finding = finding


def uncalibrated(loss: Calibratable, num_classes: int, **changes: Any) -> Fresh:
    """A loss for a number of classes, without bias, scale and transforms."""
    plain = {"logit_bias": None, "margin_scale": None, **NO_TRANSFORM}
    return as_calibratable(loss).fresh(num_classes, **plain, **changes)


def first_bracket(
    grid: np.ndarray, excess: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float] | None:
    """The first cell of `grid` in which the error rises to the target.

    For a loss whose error only falls, like cross-entropy, the cell in which it
    falls to the target.
    """
    above = excess(grid) >= 0
    changes = np.flatnonzero(above[:-1] != above[1:])
    if len(changes) == 0:
        return None
    rising = changes[~above[changes]]
    first = rising[0] if len(rising) else changes[0]
    return grid[first], grid[first + 1]


def error_of_few(few: Fresh, classes: int, logit_std: float) -> float:
    """The error of few classes at logit 0, the target of the match."""
    (error,) = errors_at(few, classes, np.zeros(1), logit_std)
    if error == 0:
        raise ValueError(
            f"{few.name} sends back no error to a fresh network of "
            f"{classes} classes, so there is nothing to match. Set the "
            "value to a number, or start with another loss"
        )
    return float(error)


def bisected(
    excess: Callable[[float], float],
    low: float,
    high: float,
    tolerance: float,
) -> float:
    sign = math.copysign(1, excess(low))
    while high - low > tolerance * high:
        middle = math.sqrt(low * high)
        if sign * excess(middle) > 0:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
