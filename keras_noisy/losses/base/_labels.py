"""The labels of a batch, behind one interface for indices and targets."""

import functools
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_noisy.losses.base._math import (
    added,
    at_least,
    cast,
    entry,
    first_argmax,
    segment_sum,
)

Tensor = Any


class Rows:
    """What both kinds of labels know about the samples."""

    valid: Tensor
    ignored: Tensor | None = None
    #: The labels as the loss received them.
    given: Tensor = None
    #: Computes which samples the mask of the predictions keeps.
    unmasked: Callable[[], Tensor | None] | None = None

    def kept(self) -> Tensor:
        """Whether each sample counts: it is valid, not ignored, not masked."""
        kept = self.valid
        if self.ignored is not None:
            kept = ops.logical_and(kept, ops.logical_not(self.ignored))
        unmasked = None if self.unmasked is None else self.unmasked()
        if unmasked is not None:
            kept = ops.logical_and(kept, unmasked)
        return kept

    def follow(self, labels: "Rows") -> None:
        """Copy what is known about the labels that these are made from."""
        self.given, self.unmasked = labels.given, labels.unmasked


class SparseLabels(Rows):
    """Integer labels of shape (N,), known to be inside the range.

    Args:
        index: Label of each sample.
        valid: Whether the given label was valid.
        ignored: Whether the sample is left out, or None.
        sample: The column next to the labels, such as the index of the sample
            in the training data, or None.
    """

    #: Whether a loss with memory may store what it learns about them.
    remembered = True

    @property
    def sparse(self) -> "SparseLabels":
        """The labels before smoothing."""
        return self

    def __init__(
        self,
        index: Tensor,
        valid: Tensor,
        ignored: Tensor | None = None,
        sample: Tensor | None = None,
    ):
        self.sample = sample
        self.index = index
        self.valid = valid
        self.ignored = ignored

    def label(self) -> Tensor:
        """The class of each sample, of shape (N,)."""
        return self.index

    def pick(self, x: Tensor) -> Tensor:
        """Entries of (N, K) values at the label, `sum_k t[k] * x[k]`."""
        return entry(x, self.index)

    def mean_of(self, function: Callable[[Any], Any], x: Tensor) -> Tensor:
        """`sum_k t[k] * function(x[k])` of (N, K) values."""
        return function(self.pick(x))

    def weight_of(self, index: Tensor, dtype: str) -> Tensor:
        """Target of one class of each sample, `t[index]`."""
        return cast(self.index == cast(index, self.index.dtype), dtype)

    def rows(self, matrix: Tensor) -> Tensor:
        """Row of a (K, J) matrix at the label, `sum_k t[k] * matrix[k]`."""
        return ops.take(matrix, self.index, axis=0)

    def total(self, function: Callable[[Any], Any]) -> Any:
        """`sum_k function(t[k])` of a function with `function(0) = 0`."""
        return function(1.0)

    def dense(self, like: Tensor) -> Tensor:
        """Targets in the shape and dtype of (N, K) values."""
        classes = ops.arange(ops.shape(like)[-1], dtype=self.index.dtype)
        return cast(self.index[:, None] == classes, like.dtype)

    def added(self, logits: Tensor, bias: float | Tensor) -> Tensor:
        """Logits of shape (N, K) with a bias added at the label."""
        return added(logits, self.index, bias)

    def frequencies(self, like: Tensor) -> Tensor:
        """Share of each class in the batch, of shape (K,)."""
        kept = cast(self.kept(), like.dtype)
        counts = segment_sum(kept, self.index, like.shape[-1])
        return counts / at_least(ops.sum(kept), 1.0)


class DenseLabels(Rows):
    """One-hot or soft targets of shape (N, K)."""

    def __init__(
        self, targets: Tensor, valid: Tensor, sample: Tensor | None = None
    ):
        self.sample = sample
        self.targets = targets
        self.valid = valid

    def label(self) -> Tensor:
        """The most probable class of each sample, of shape (N,)."""
        return first_argmax(self.targets)

    def pick(self, x: Tensor) -> Tensor:
        """`sum_k t[k] * x[k]`, without the classes of target 0."""
        safe = ops.where(self.targets == 0, 0.0, x)
        return ops.sum(self.targets * safe, axis=-1)

    def mean_of(self, function: Callable[[Any], Any], x: Tensor) -> Tensor:
        """`sum_k t[k] * function(x[k])` of (N, K) values."""
        return self.pick(function(x))

    def rows(self, matrix: Tensor) -> Tensor:
        """`sum_k t[k] * matrix[k]` of a (K, J) matrix."""
        return self.targets @ matrix

    def total(self, function: Callable[[Any], Any]) -> Any:
        """`sum_k function(t[k])` of a function with `function(0) = 0`."""
        return ops.sum(function(self.targets), axis=-1)

    def dense(self, like: Tensor) -> Tensor:
        """The targets."""
        return self.targets

    def added(self, logits: Tensor, bias: float | Tensor) -> Tensor:
        """Logits with a bias added in proportion to the targets."""
        return logits + bias * self.targets

    def frequencies(self, like: Tensor) -> Tensor:
        """Mean target of each class in the batch, of shape (K,)."""
        kept = cast(self.kept(), self.targets.dtype)
        counts = (kept[None] @ self.targets)[0]
        return counts / at_least(ops.sum(kept), 1.0)


class BinaryTargets(DenseLabels):
    """Soft labels of two classes, as the share of class 1 of shape (N,)."""

    def __init__(
        self, share: Tensor, valid: Tensor, ignored: Tensor | None = None
    ):
        self.share, self.ignored = share, ignored
        self.valid, self.sample = valid, None

    @functools.cached_property
    def targets(self) -> Tensor:
        """Both shares, of shape (N, 2)."""
        return ops.stack([1 - self.share, self.share], axis=-1)

    def label(self) -> Tensor:
        """The more probable class of each sample, of shape (N,)."""
        return ops.cast(self.share > 0.5, "int32")


Labels = SparseLabels | DenseLabels
