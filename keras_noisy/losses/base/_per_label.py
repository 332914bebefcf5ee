"""Arguments with a number for each of several labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import floats
from keras_noisy.losses.base._arguments import Converted


class PerLabel(Converted):
    """Numbers that all labels share, or numbers for each label."""

    #: Axes of the numbers of one label.
    rank = 0
    expected = ""

    def check(self, value: Any) -> np.ndarray | None:
        """The numbers, float64 of shape (...) or (labels, ...)."""
        if value is None:
            return None
        array = floats(self.name, value, self.expected)
        has_axes = array.ndim in (self.rank, self.rank + 1) and array.size > 0
        if not (has_axes and self.fits(array)):
            raise invalid(self.name, value, self.expected)
        return array

    def fits(self, array: np.ndarray) -> bool:
        """Whether the numbers are in their range."""
        raise TypeError(f"{type(self).__name__} must define `fits(array)`")

    def config(self, value: np.ndarray | None) -> Any:
        """The numbers as a float or as lists."""
        return value if value is None else value.tolist()

    def of_labels(self, loss: Any, count: int | None) -> np.ndarray | None:
        """The numbers, if they are for that many labels."""
        found = loss.arguments[self.name]
        if found is None or found.ndim == self.rank:
            return found
        if count not in (None, len(found)):
            raise ValueError(
                f"Invalid value for argument `{self.name}`. Expected numbers "
                f"for each of the {count} labels of `y_pred`, in their order, "
                f"or the same for all. Received: those of {len(found)} labels"
            )
        return found


class PosWeight(PerLabel):
    """Weights of the positive labels."""

    expected = "a positive number, or one for each label"

    def fits(self, array: np.ndarray) -> bool:
        """Whether all are positive."""
        return bool(np.all(np.isfinite(array) & (array > 0)))


class NoiseRates(PerLabel):
    """How often a 0 was given as 1, and a 1 as 0."""

    rank = 1
    expected = (
        "the rate at which a 0 is labeled 1 and the rate at which a 1 is "
        "labeled 0, in [0, 1) with a sum below 1, or such a pair for each "
        "label, of shape (labels, 2)"
    )

    def fits(self, array: np.ndarray) -> bool:
        """Whether they are rates that leave labels informative."""
        if array.shape[-1] != 2:
            return False
        # Both comparisons are False for NaN.
        return bool(np.all(array >= 0) and np.all(array.sum(axis=-1) < 1))
