"""Reads a batch once: formats of labels, safe indices, logits as rows."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._containers import native
from keras_noisy._label_tensors import (
    agree,
    as_tensor,
    is_float,
    safe_index,
    static_shape,
    widened,
)
from keras_noisy.losses.base import _math, _reduction, _single
from keras_noisy.losses.base._labels import DenseLabels, Labels, SparseLabels

Tensor = Any


class Batch(NamedTuple):
    """A batch in the form that a loss computes with."""

    #: The given labels and predictions, as tensors.
    y_true: Tensor
    y_pred: Tensor
    #: Labels in the leading shape of the predictions, or None for targets.
    integers: Tensor | None
    #: Labels of the samples as rows, of shape (N,) or (N, num_classes).
    labels: Labels
    #: Of shape (N, num_classes), or (N, views, num_classes). A single output
    #: for two classes gives one column.
    logits: Tensor
    num_classes: Any
    #: The leading shape of the predictions, None where it is (N,).
    shape: Any


def read(loss: Any, y_true: Any, y_pred: Any) -> Batch:
    """Labels and logits of a batch; no other part of a loss reads these."""
    given, outputs = as_tensor(y_true), floating(y_pred)
    y_pred = _single.as_column(given, outputs, loss.num_classes)
    num_classes = class_count(y_pred, loss.num_classes)
    single = _single.is_single(y_pred)
    y_true, sample = loss.split_labels(given, y_pred)
    one_view = _one_view(y_pred, loss.view_axes)
    integers = as_labels(y_true, one_view)
    rows, labels, shape = y_pred, integers, None
    if len(one_view.shape) != 2:
        shape = ops.shape(one_view)[:-1]
        width = 1 if single else num_classes
        rows = ops.reshape(y_pred, (-1, *loss.view_axes, width))
        if labels is None:
            y_true = ops.reshape(y_true, (-1, num_classes))
        else:
            labels = ops.reshape(labels, (-1,))
    dtype = _math.compute_dtype(loss.dtype)
    ignored = None
    if labels is not None and loss.ignore_class is not None:
        ignored = labels == loss.ignore_class
    found: Labels
    if labels is None:
        found = _targets(_math.cast(y_true, dtype), sample)
    elif single and sample is None and is_float(labels):
        found = _single.soft_labels(labels, ignored, dtype)
    else:
        index, valid = safe_index(labels, num_classes)
        found = SparseLabels(index, valid, ignored, sample)
    if loss.from_logits:
        logits = _math.cast(rows, dtype)
    else:
        logits, known = _of_probabilities(rows, dtype)
        found.valid = ops.logical_and(found.valid, known)
    found.given = given
    found.unmasked = functools.partial(_reduction.unmasked, outputs, one_view)
    return Batch(given, outputs, integers, found, logits, num_classes, shape)


def _targets(targets: Tensor, sample: Tensor | None) -> DenseLabels:
    """Targets of shape (N, num_classes), divided by their sums."""
    sums = ops.sum(targets, axis=-1)
    valid = _math.is_distribution(sums, targets)
    targets = targets / ops.where(valid, sums, 1.0)[:, None]
    return DenseLabels(targets, valid, sample)


def _of_probabilities(rows: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    """Logits of probabilities, and which samples have valid ones."""
    if _single.is_single(rows):
        return _single.logits_of_probabilities(rows, dtype)
    sums = ops.sum(_math.cast(rows, dtype), axis=-1)
    known = _math.is_distribution(sums, rows)
    if len(known.shape) > 1:  # Several views of each sample.
        known = ops.all(known, axis=tuple(range(1, len(known.shape))))
    return _math.log_of_probabilities(rows, dtype), known


def restored(values: Tensor, batch: Batch) -> Tensor:
    """Values in the shape of the predictions, NaN where labels are bad."""
    where = _math.plain_ops().where
    values = where(batch.labels.valid, values, float("nan"))
    if batch.labels.ignored is not None:
        values = ops.where(batch.labels.ignored, 0.0, values)
    return values if batch.shape is None else ops.reshape(values, batch.shape)


def _one_view(y_pred: Tensor, view_axes: tuple[int, ...]) -> Tensor:
    """Predictions without the axes that labels do not have."""
    for size in view_axes:
        if len(y_pred.shape) < 2 or y_pred.shape[-2] not in (size, None):
            raise ValueError(
                f"Expected `y_pred` of shape (..., {size}, num_classes), "
                f"one row for each of the {size} views. Received: "
                f"y_pred.shape={tuple(y_pred.shape)}"
            )
        y_pred = y_pred[..., 0, :]
    return y_pred


def floating(x: Any) -> Tensor:
    """`x` as a tensor of floating numbers."""
    if not ops.is_tensor(x):
        x = ops.convert_to_tensor(native(x) if isinstance(x, np.ndarray) else x)
    return x if is_float(x) else ops.cast(x, keras.config.floatx())


def as_labels(y_true: Tensor, y_pred: Tensor) -> Tensor | None:
    """Integer labels in the leading shape of `y_pred`, or None for targets.

    Only ranks and static shapes decide, so that a batch with as many samples
    as classes is read like any other.
    """
    shape, outputs = static_shape(y_true), static_shape(y_pred)
    if len(shape) == len(outputs) - 1 and agree(shape, outputs[:-1]):
        return widened(y_true)
    if len(shape) == len(outputs) and agree(shape[:-1], outputs[:-1]):
        if shape[-1] == 1:
            return widened(ops.squeeze(y_true, -1))
        if shape[-1] is not None and agree(shape[-1:], outputs[-1:]):
            return None
    channels_first = (outputs[0], *outputs[2:])
    if len(shape) > 1 and shape in (channels_first, (*channels_first, 1)):
        raise ValueError(
            "Expected the classes in the last axis of `y_pred`, but they seem "
            f"to be in axis 1. Received: y_pred.shape={outputs} for "
            f"y_true.shape={shape}. Move them with `keras.layers.Permute`"
        )
    hint = ""
    if outputs[-1:] == (1,) and len(shape) == len(outputs):
        # PyTorch's losses take the labels last.
        hint = " Call it as `loss(y_true, y_pred)`, labels first."
    if outputs[-1:] == (1,) and shape == (*outputs[:-1], 2):
        raise ValueError(
            "Expected labels 0 and 1, as `y_pred` has a single output. "
            f"Received one-hot labels: y_true.shape={shape}, y_pred.shape="
            f"{outputs}. Pass `np.argmax(labels, axis=-1)`, or end the model "
            'in `Dense(2, activation="softmax")`.' + hint
        )
    raise ValueError(
        "Expected `y_true` to hold integer labels of shape "
        f"{outputs[:-1]} or {(*outputs[:-1], 1)}, or targets of shape "
        f"{outputs}, for `y_pred` of shape {outputs}. Received: "
        f"y_true.shape={shape}. If an axis is None because the data set does "
        "not know it, fix it there, for instance with `ensure_shape`." + hint
    )


def class_count(y_pred: Tensor, num_classes: int | None) -> Any:
    """The number of classes, from `y_pred` or else from `num_classes`."""
    if len(y_pred.shape) == 0:
        raise ValueError(
            "Expected `y_pred` to have one output per class in its last axis, "
            "or a single one for two classes. Received: y_pred.shape=()"
        )
    found = y_pred.shape[-1]
    if found == 1:
        if num_classes not in (None, 2):
            raise invalid(
                "num_classes",
                num_classes,
                "2 or None, as `y_pred` has a single output, whose shape is "
                f"{tuple(y_pred.shape)}. For more classes end the model in "
                f'`Dense({num_classes}, activation="softmax")`',
            )
        return 2
    if found is None:
        return num_classes or ops.shape(y_pred)[-1]
    if num_classes not in (None, found):
        raise invalid(
            "num_classes",
            num_classes,
            f"{found}, the size of the last axis of `y_pred`, whose shape is "
            f"{tuple(y_pred.shape)}",
        )
    return found
