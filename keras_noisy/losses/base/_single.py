"""Classifiers of two classes with a single output, such as a sigmoid.

Their logits have one column, the logit `z` of class 1. The same classifier
with two outputs has the logits `(0, z)`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._label_tensors import static_shape
from keras_noisy.losses.base import _math
from keras_noisy.losses.base._labels import BinaryTargets, DenseLabels, Labels
from keras_noisy.losses.base._smoothed import SmoothedLabels

Tensor = Any
#: How far a probability may be above 1, by rounding.
TOLERANCE = 1e-3


def as_column(y_true: Tensor, y_pred: Tensor, num_classes: Any) -> Tensor:
    """Single outputs of shape (N,) with an axis for the class."""
    if len(y_pred.shape) != 1 or num_classes not in (None, 2):
        return y_pred
    shape = static_shape(y_true)
    of_one_sample = shape == () or (shape == (1,) and y_pred.shape[0] != 1)
    return y_pred if of_one_sample else y_pred[:, None]


def is_single(logits: Tensor) -> bool:
    """Whether outputs or logits only have the column of class 1."""
    return logits.shape[-1] == 1


def soft_labels(labels: Tensor, ignored: Any, dtype: str) -> BinaryTargets:
    """Labels of shape (N,) between 0 and 1."""
    share = _math.cast(labels, dtype)
    valid = ops.logical_and(share >= 0, share <= 1)
    return BinaryTargets(ops.where(valid, share, 0.0), valid, ignored)


def logits_of_probabilities(rows: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    """Logits of (..., 1) probabilities, and which samples have valid ones."""
    half = keras.backend.standardize_dtype(rows.dtype) == "float16"
    # XLA is several times slower with an axis of one entry.
    flat = len(rows.shape) == 2
    p = _math.cast(rows[:, 0] if flat else rows, dtype)
    known = ops.logical_and(p >= 0, p <= 1 + TOLERANCE)
    if not flat:
        known = ops.all(known, axis=tuple(range(1, len(known.shape))))
    # The difference from 1 is exact where p is near 1.
    log_p, log_rest = (_math.finite_log(x, half) for x in (p, 1 - p))
    logits = log_p - log_rest
    return logits[:, None] if flat else logits, known


def as_pair(logits: Tensor) -> Tensor:
    """Logits (..., 1) as the logits of two outputs, (..., 2)."""
    return ops.concatenate([ops.zeros_like(logits), logits], axis=-1)


def label_margin(index: Tensor, logits: Tensor) -> Tensor:
    """Logit of the label less the logit of the other class, of shape (N,)."""
    z = logits[:, 0]
    return _math.plain_ops().where(index == 1, z, -z)


def values(
    loss: Any, labels: Labels, logits: Tensor, numbers: dict[str, Any]
) -> Tensor:
    """One value per sample of a loss of the true-class probability."""
    if loss.fade is not None:
        numbers = {name: _flat(value) for name, value in numbers.items()}
    bias, scale = numbers["logit_bias"], numbers["margin_scale"]
    if isinstance(labels, DenseLabels):
        share = _share(labels, logits.dtype)
        up = logits[:, 0]
        down = -up
        if bias is not None:
            up = up + bias * (2 * share - 1)
            down = -up
        if scale is not None:
            up, down = scale * up, scale * down
        log_p, log_rest = ops.log_sigmoid(up), ops.log_sigmoid(down)
        found = loss.of_share(share, log_p, log_rest, numbers)
        return found if scale is None else found / scale
    margin = label_margin(labels.index, logits)
    if scale is not None:
        log_p = ops.log_sigmoid(scale * margin)
        return loss.of_true_class(log_p, numbers) / scale
    if bias is not None:
        margin = margin + bias
    return loss.of_true_class(ops.log_sigmoid(margin), numbers)


def _flat(value: Any) -> Any:
    """Numbers that fade, as (N,) instead of (N, 1)."""
    is_column = ops.is_tensor(value) and len(value.shape) == 2
    return value[:, 0] if is_column else value


def _share(labels: DenseLabels, dtype: str) -> Tensor:
    """The target of class 1, of shape (N,)."""
    if isinstance(labels, BinaryTargets):
        return labels.share
    if isinstance(labels, SmoothedLabels):
        return labels.of_label * _math.cast(labels.index, dtype) + labels.each
    return labels.targets[:, 1]
