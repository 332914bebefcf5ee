"""The rank of the label among classes ordered by their scores."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy.metrics._label_columns import labels_and_scores

Tensor = Any


class RankMetric(keras.metrics.MeanMetricWrapper):
    """Mean of a function of the rank of the label, 0 beyond `k`."""

    def __init__(
        self, of_rank: Any, k: int, name: str | None, dtype: Any, prefix: str
    ):
        self.k = integer("k", k, 1)

        def value(y_true: Tensor, y_pred: Tensor) -> Tensor:
            ranks = label_ranks(y_true, y_pred)
            beyond = ops.where(ranks > self.k, 0.0, of_rank(ranks))
            # A label that is not a class is neither found nor missed.
            return ops.where(ranks < 1, float("nan"), beyond)

        name = f"{prefix}_at_{self.k}" if name is None else name
        super().__init__(value, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {"k": self.k, "name": self.name, "dtype": self.dtype}


def label_ranks(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Ranks of the labels from 1, shape `(N,)`; 0 if a label is no class."""
    labels, scores = labels_and_scores(y_true, y_pred, three=False)
    labels, total = labels[:, :1], scores.shape[-1]
    classes = ops.cast(ops.arange(total, dtype="int32")[None], labels.dtype)
    is_label = ops.equal(classes, labels)
    own = ops.sum(ops.where(is_label, scores, 0), axis=-1, keepdims=True)
    # NaN ranks above all others: it must not count as a low score.
    above = ops.logical_not(scores <= own)
    before = ops.logical_and(ops.equal(scores, own), classes < labels)
    ahead = ops.cast(ops.logical_or(above, before), "int32")
    ranks = 1.0 + ops.cast(ops.sum(ahead, axis=-1), "float32")
    ranks = ops.where(ranks > total, float("inf"), ranks)
    return ops.where(ops.any(is_label, axis=-1), ranks, 0.0)
