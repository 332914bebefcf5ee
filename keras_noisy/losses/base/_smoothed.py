"""Integer labels that are smoothed, without a matrix of targets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from keras import ops

from keras_noisy.losses.base._labels import (
    BinaryTargets,
    DenseLabels,
    Labels,
    SparseLabels,
)
from keras_noisy.losses.base._math import added, number_of

Tensor = Any


class SmoothedLabels(DenseLabels):
    """Targets `(1 - rate) * onehot(y) + rate / num_classes`.

    The matrix is built only if a formula needs it.

    Args:
        sparse: The labels.
        rate: Share that is spread over all classes.
        num_classes: Number of classes.
        dtype: Dtype of the targets.
    """

    #: Whether a loss with memory may store what it learns about them.
    remembered = True

    def __init__(
        self, sparse: SparseLabels, rate: float, num_classes: Any, dtype: str
    ):
        self.sparse, self.index = sparse, sparse.index
        self.valid, self.ignored = sparse.valid, sparse.ignored
        self.sample = sparse.sample
        self.follow(sparse)
        self.of_label = 1 - rate
        self.each = rate / number_of(num_classes, dtype)
        self._like = ops.zeros((1, num_classes), dtype)

    @functools.cached_property
    def targets(self) -> Tensor:
        """The targets as a matrix."""
        return self.of_label * self.sparse.dense(self._like) + self.each

    def label(self) -> Tensor:
        """The class of each sample, of shape (N,)."""
        return self.index

    def pick(self, x: Tensor) -> Tensor:
        """`sum_k t[k] * x[k]` of (N, K) values."""
        return self.of_label * self.sparse.pick(x) + self.each * ops.sum(
            x, axis=-1
        )

    def rows(self, matrix: Tensor) -> Tensor:
        """`sum_k t[k] * matrix[k]` of a (K, J) matrix."""
        rest = self.each * ops.sum(matrix, axis=0)
        return self.of_label * self.sparse.rows(matrix) + rest

    def total(self, function: Callable[[Any], Any]) -> Any:
        """`sum_k function(t[k])` of a function with `function(0) = 0`."""
        others = ops.shape(self._like)[1] - 1
        others = number_of(others, self._like.dtype) * function(self.each)
        return function(self.of_label + self.each) + others

    def added(self, logits: Tensor, bias: float | Tensor) -> Tensor:
        """Logits with a bias added in proportion to the targets."""
        logits = logits + self.each * bias
        return added(logits, self.index, self.of_label * bias)

    def frequencies(self, like: Tensor) -> Tensor:
        """Mean target of each class in the batch, of shape (K,)."""
        return self.of_label * self.sparse.frequencies(like) + self.each


#: Labels with an index for each sample.
IndexedLabels = SparseLabels | SmoothedLabels


def smoothed(
    labels: Labels, rate: float, num_classes: Any, dtype: str
) -> Labels:
    """Labels with a share that is spread over all classes."""
    if isinstance(labels, SparseLabels):
        return SmoothedLabels(labels, rate, num_classes, dtype)
    each = rate / number_of(num_classes, dtype)
    found: DenseLabels
    if isinstance(labels, BinaryTargets):
        share = (1 - rate) * labels.share + each
        found = BinaryTargets(share, labels.valid, labels.ignored)
    else:
        targets = (1 - rate) * labels.targets + each
        found = DenseLabels(targets, labels.valid, labels.sample)
    found.follow(labels)
    return found
