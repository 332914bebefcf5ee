"""Transition matrices and class shares as arguments of a loss."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._class_counts import in_class_order
from keras_noisy._stochastic import distributions, transition_matrix
from keras_noisy.calibration.fresh import Fresh
from keras_noisy.losses.base._arguments import Argument, Converted
from keras_noisy.losses.base._math import LOWEST
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import RobustLoss


class PerClass(Argument):
    """An argument with an entry per class, which fixes their number."""

    def verify(self, loss: RobustLoss) -> None:
        """Set the number of classes of the loss, or check it if given."""
        value = loss.arguments[self.name]
        if value is None:
            return
        if loss.arguments["logit_bias"] == "auto":
            raise ValueError(
                '`logit_bias="auto"` compares the error of many classes with '
                f"the error of few, but `{self.name}` is for {len(value)} "
                "classes alone. Pass a number, such as "
                "`keras_noisy.calibration.matched_logit_bias(CrossEntropy(), "
                f"{len(value)})`"
            )
        self.check_count(value, loss.num_classes)
        loss.num_classes = len(value)

    def check_count(self, value: Any, num_classes: int | None) -> None:
        """Raise if it is for another number of classes."""
        if num_classes not in (None, len(value)):
            raise ValueError(
                f"Invalid value for argument `{self.name}`. Expected the size "
                f"of num_classes={num_classes}. Received: {len(value)}"
            )


class Matrix:
    """A matrix, and what is computed from it once."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self._cast: dict[tuple[str, str], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.array)

    def tensor(self, name: str, like: Any) -> Any:
        """The array, its `inverse` or `log_columns`, in a tensor's dtype.

        PyTorch shares the memory of an array that has the dtype already.
        """
        dtype = keras.backend.standardize_dtype(like.dtype)
        wide = dtype if dtype == "float64" else "float32"
        if (name, wide) not in self._cast:
            self._cast[name, wide] = getattr(self, name).astype(wide)
        return ops.convert_to_tensor(self._cast[name, wide], dtype)

    @functools.cached_property
    def inverse(self) -> np.ndarray:
        """Its inverse."""
        return np.linalg.inv(self.array)

    @functools.cached_property
    def log_columns(self) -> np.ndarray:
        """Logarithm of its columns, as rows."""
        with np.errstate(divide="ignore"):
            columns = np.maximum(np.log(self.array.T), LOWEST)
        return np.ascontiguousarray(columns)


class Transition(PerClass, Converted):
    """A row-stochastic square matrix, shown to users as lists."""

    def check(self, value: Any) -> Matrix:
        """The matrix."""
        return Matrix(transition_matrix(self.name, value))

    def config(self, value: Matrix) -> list[list[float]]:
        """The matrix as lists."""
        return value.array.tolist()


class RegularTransition(Transition):
    """A row-stochastic matrix that has an inverse."""

    def check(self, value: Any) -> Matrix:
        """The matrix."""
        value = super().check(value)
        condition = np.linalg.cond(value.array)
        if condition > 1 / np.finfo("float32").eps:
            raise ValueError(
                f"Invalid value for argument `{self.name}`. Expected a matrix "
                "that has an inverse, for the backward correction. Received: "
                f"a singular one, of condition number {condition:.3g}. Use "
                "`ForwardCorrection`, which needs no inverse"
            )
        return value


class Shares(PerClass):
    """Shares of the classes that sum to 1, or None."""

    def check(self, value: Any) -> list[float] | None:
        """The shares as floats."""
        if value is None:
            return None
        expected = "a number per class, of at least 2 classes"
        value = in_class_order(self.name, value)
        return distributions(self.name, [value], expected)[0].tolist()

    def config(self, value: list[float] | None) -> list[float] | None:
        """The shares in a list of their own."""
        return None if value is None else [*value]


class CorrectionLoss(DistributionLoss):
    """Base of the losses that are corrected by a transition matrix."""

    T: Any

    def fresh(self, num_classes: int, **changes: Any) -> Fresh:
        """The loss for calibration, with the matrix's number of classes."""
        type(self).T.check_count(self.arguments["T"], num_classes)
        return super().fresh(num_classes, **changes)
