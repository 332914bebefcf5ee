"""Tells the formats of labels apart and makes integer labels safe to index."""

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import invalid

Tensor = Any


def as_labels(y_true: Tensor, y_pred: Tensor) -> Tensor | None:
    """Integer labels in the leading shape of `y_pred`, or None for targets.

    Only ranks and static shapes decide, so that a batch of as many samples as
    there are classes is read like any other.
    """
    shape, outputs = tuple(y_true.shape), tuple(y_pred.shape)
    if len(shape) == len(outputs) - 1 and _agree(shape, outputs[:-1]):
        return y_true
    if len(shape) == len(outputs) and _agree(shape[:-1], outputs[:-1]):
        if shape[-1] == 1:
            return ops.squeeze(y_true, -1)
        if shape[-1] is not None and _agree(shape[-1:], outputs[-1:]):
            return None
    raise ValueError(
        "Expected `y_true` to hold integer labels of shape "
        f"{outputs[:-1]} or {(*outputs[:-1], 1)}, or targets of shape "
        f"{outputs}, for `y_pred` of shape {outputs}. Received: "
        f"y_true.shape={shape}. If an axis is None because the data set does "
        "not know it, fix it there, for instance with `ensure_shape`."
    )


def safe_index(labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Labels brought into [0, num_classes), and which of them were there."""
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if keras.backend.is_float_dtype(dtype):
        whole = ops.equal(labels, ops.floor(labels))
        index = ops.where(whole, ops.mod(labels, num_classes), 0)
        valid = ops.equal(index, labels)
        return ops.cast(index, "int32"), valid
    if dtype not in ("int32", "int64"):
        # A class count does not fit into the uint8 of labels that happen to
        # be small. JAX has no int64 by default; there large unsigned labels
        # turn negative, which is just as invalid.
        large = dtype in ("uint32", "uint64")
        wide = large and keras.backend.backend() != "jax"
        labels = ops.cast(labels, "int64" if wide else "int32")
    # The remainder is the label itself exactly where the label is in range.
    index = ops.mod(labels, num_classes)
    return index, ops.equal(index, labels)


def check_class_count(y_pred: Tensor, num_classes: int | None) -> Any:
    """The number of classes, from `y_pred` or else from `num_classes`."""
    if len(y_pred.shape) == 0 or y_pred.shape[-1] == 1:
        raise ValueError(
            "Expected `y_pred` to have one output per class in its last axis, "
            "and at least two classes. Received: "
            f"y_pred.shape={tuple(y_pred.shape)}. A binary classifier needs "
            "two outputs, one per class."
        )
    found = y_pred.shape[-1]
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


def _agree(left: tuple, right: tuple) -> bool:
    return len(left) == len(right) and all(
        None in (a, b) or a == b for a, b in zip(left, right, strict=True)
    )
