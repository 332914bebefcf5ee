"""Tells the formats of labels apart and makes integer labels safe to index."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._label_arrays import HIGHEST, LOWEST

Tensor = Any


def as_tensor(y_true: Any) -> Tensor:
    """Labels as a tensor in their own dtype.

    JAX wraps integers of 64 bits, so that a missing label could become class
    0. Here they come as near as 32 bits can, and stay invalid.
    """
    if ops.is_tensor(y_true):
        return y_true
    array = np.asarray(y_true)
    if array.dtype.kind == "O":
        array = np.array(array.tolist())
    if array.dtype.kind in "UST":
        raise ValueError(
            "Expected `y_true` to hold integer labels. Received text, such as "
            f"{str(array.flat[0])!r}. Number the names of classes: `names, "
            "labels = np.unique(labels, return_inverse=True)`"
        )
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        array = np.clip(array, LOWEST, HIGHEST).astype("int64")
    return ops.convert_to_tensor(array)


def as_labels(y_true: Tensor, y_pred: Tensor) -> Tensor | None:
    """Integer labels in the leading shape of `y_pred`, or None for targets.

    Only ranks and static shapes decide, so that a batch of as many samples as
    there are classes is read like any other.
    """
    shape, outputs = static_shape(y_true), static_shape(y_pred)
    if len(shape) == len(outputs) - 1 and _agree(shape, outputs[:-1]):
        return widened(y_true)
    if len(shape) == len(outputs) and _agree(shape[:-1], outputs[:-1]):
        if shape[-1] == 1:
            return widened(ops.squeeze(y_true, -1))
        if shape[-1] is not None and _agree(shape[-1:], outputs[-1:]):
            return None
    channels_first = (outputs[0], *outputs[2:])
    if len(shape) > 1 and shape in (channels_first, (*channels_first, 1)):
        raise ValueError(
            "Expected the classes in the last axis of `y_pred`, and they seem "
            f"to be in axis 1. Received: y_pred.shape={outputs} for "
            f"y_true.shape={shape}. Move them by `keras.layers.Permute`"
        )
    raise ValueError(
        "Expected `y_true` to hold integer labels of shape "
        f"{outputs[:-1]} or {(*outputs[:-1], 1)}, or targets of shape "
        f"{outputs}, for `y_pred` of shape {outputs}. Received: "
        f"y_true.shape={shape}. If an axis is None because the data set does "
        "not know it, fix it there, for instance with `ensure_shape`."
    )


def static_shape(x: Tensor) -> tuple[int | None, ...]:
    """The shape as far as it is known."""
    if getattr(x.shape, "rank", 0) is None:
        raise ValueError(
            "Expected labels and predictions whose number of axes is known. "
            "TensorFlow forgets it in `tf.numpy_function` and "
            "`tf.py_function`: call `labels.set_shape((None,))` or "
            "`tf.ensure_shape(labels, (None,))` after them. It does so too "
            "when one model is given labels of several shapes, such as (N,) "
            "and (N, 1): keep to one, or compile the model again"
        )
    return tuple(x.shape)


def widened(labels: Tensor) -> Tensor:
    """Labels in a dtype that holds every class count and `ignore_class`."""
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if dtype in ("int32", "int64") or keras.backend.is_float_dtype(dtype):
        return labels
    # JAX has no int64 by default; there large unsigned labels turn negative,
    # which is just as invalid.
    large = dtype in ("uint32", "uint64")
    wide = large and keras.backend.backend() != "jax"
    return ops.cast(labels, "int64" if wide else "int32")


def safe_index(labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Labels brought into [0, num_classes), and which of them were there."""
    if keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(labels.dtype)
    ):
        whole = ops.logical_and(labels == ops.floor(labels), labels >= 0)
        valid = ops.logical_and(whole, labels < num_classes)
        return ops.cast(ops.where(valid, labels, 0), "int32"), valid
    # The remainder is the label itself exactly where the label is in range.
    if not isinstance(num_classes, int):
        num_classes = ops.cast(num_classes, labels.dtype)
    index = labels % num_classes
    return index, index == labels


def class_count(y_pred: Tensor, num_classes: int | None) -> Any:
    """The number of classes, from `y_pred` or else from `num_classes`."""
    if len(y_pred.shape) == 0 or y_pred.shape[-1] == 1:
        raise ValueError(
            "Expected `y_pred` to have one output per class in its last axis, "
            "and at least two classes. Received: "
            f"y_pred.shape={tuple(y_pred.shape)}. A binary classifier needs "
            "two outputs, one per class: end the model in `Dense(2, "
            'activation="softmax")` in place of `Dense(1, '
            'activation="sigmoid")`; labels 0 and 1 stay as they are.'
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


def ranked(y_true: Any, y_pred: Any) -> Any:
    """`y_true` as a tensor whose number of axes is known.

    It is not in a step that TensorFlow traced for labels with and without
    further columns, which then are columns of an unknown number.
    """
    y_true = as_tensor(y_true)
    if getattr(y_true.shape, "rank", 0) is None:
        y_true = ops.reshape(y_true, (ops.shape(y_pred)[0], -1))
    return y_true
