"""Compares labels, with or without more columns, with predictions."""

from typing import Any

import keras
from keras import ops

from keras_noisy._label_tensors import (
    agree,
    as_tensor,
    columns_of_each,
    ranked,
    widened,
)


def label_columns(
    y_true: Any, y_pred: Any, threshold: float, three: bool = True
) -> tuple[Any, Any, Any]:
    """Given label, last column and predicted class, each of shape `(N,)`.

    `three` says whether labels may have three columns if there are three
    classes. Above `threshold`, a single output predicts class 1.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    if len(y_pred.shape) == 1:
        y_pred = y_pred[:, None]
    y_true, y_pred = labels_and_scores(y_true, y_pred, three)
    if y_pred.shape[-1] == 1:
        predicted = ops.cast(y_pred[:, 0] > threshold, y_true.dtype)
    else:
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), y_true.dtype)
    return y_true[:, 0], y_true[:, -1], predicted


def several_labels(
    y_true: Any, y_pred: Any, threshold: float
) -> tuple[Any, Any, Any]:
    """Given labels, clean and predicted ones, each of shape `(N, labels)`."""
    y_pred = ops.convert_to_tensor(y_pred)
    given, outputs = as_tensor(y_true), tuple(y_pred.shape)
    y_true = widened(columns_of_each(given, y_pred))
    shape = tuple(y_true.shape)
    is_pair = shape[-1] in (1, 2, None)
    if len(outputs) != 2 or not (is_pair and agree(shape[:-1], outputs)):
        raise ValueError(
            "Expected `y_true` of shape (N, labels), or (N, labels, 2) with "
            "given and clean labels, and `y_pred` of shape (N, labels), "
            "because `multi_label=True`. Received: "
            f"y_true.shape={tuple(given.shape)}, y_pred.shape={outputs}"
        )
    predicted = ops.cast(y_pred > threshold, y_true.dtype)
    return y_true[..., 0], y_true[..., -1], predicted


def per_label(weight: Any, counted: Any) -> Any:
    """The labels that count, as numbers, times the sample weights."""
    counted = share(counted)
    if weight is None:
        return counted
    weight = ops.convert_to_tensor(weight, counted.dtype)
    if len(counted.shape) == 1:
        weight = ops.reshape(weight, (-1,))
    elif len(weight.shape) == 1:
        weight = weight[:, None]
    return counted * weight


def labels_and_scores(y_true: Any, y_pred: Any, three: bool) -> tuple[Any, Any]:
    """Labels of shape `(N, columns)`, and predictions, as tensors."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ranked(y_true, y_pred)
    if len(y_true.shape) == 1:
        y_true = y_true[:, None]
    fits = len(y_true.shape) == 2 and y_true.shape[-1] in (None, 1, 2, 3)
    if fits and not three:
        fits = not y_true.shape[-1] == 3 == y_pred.shape[-1]
    if not fits or len(y_pred.shape) != 2:
        raise ValueError(
            "Expected integer `y_true` of shape (N,), (N, 1), (N, 2), a label "
            "and a sample index or a clean label, or (N, 3), all of them, and "
            "`y_pred` of shape (N, num_classes). Received: "
            f"y_true.shape={tuple(y_true.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}"
        )
    columns = y_true.shape[-1]
    dtype = keras.backend.standardize_dtype(y_true.dtype)
    is_no_index = keras.backend.is_float_dtype(dtype) or dtype == "bool"
    if is_no_index and columns in (2, 3) and columns == y_pred.shape[-1]:
        raise ValueError(
            f"Expected integer labels, alone or in the first of {columns} "
            f"columns. Received: `y_true` of shape {tuple(y_true.shape)} and "
            f"dtype {dtype} for {columns} classes, which look like one-hot or "
            "soft labels: pass `np.argmax(labels, axis=-1)`"
        )
    return widened(y_true), y_pred


def share(matches: Any) -> Any:
    """True and False as 1 and 0, for a mean."""
    return ops.cast(matches, keras.config.floatx())
