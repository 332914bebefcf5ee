"""Labels as tensors, in which invalid labels stay invalid."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._containers import as_array, native
from keras_noisy._label_arrays import HIGHEST, LOWEST

TEXT = "Expected `y_true` to hold integer labels. Received text"


def as_tensor(y_true: Any) -> Any:
    """Labels as a tensor in their own dtype.

    JAX wraps integers of 64 bits, so a missing label could become class 0.
    Here they are clipped to 32 bits, and stay invalid.
    """
    if ops.is_tensor(y_true):
        return y_true
    array = numbers_of(y_true)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        array = np.clip(array, LOWEST, HIGHEST).astype("int64")
    return ops.convert_to_tensor(array)


def numbers_of(y_true: Any) -> np.ndarray:
    """Labels that are not a tensor, as an array of numbers, None as NaN."""
    if isinstance(y_true, np.ma.MaskedArray):
        y_true = as_array("y_true", y_true)
    try:
        array = np.asarray(y_true)
        if array.dtype.kind == "O":
            array = np.array(array.tolist())
        if array.dtype.kind == "O":
            array = array.astype("float64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Expected `y_true` to hold labels as numbers. Received objects "
            f"that no array can hold: {error}. Turn them into integers, with "
            "-1 for a missing label"
        ) from error
    if array.dtype.kind in "UST":
        raise ValueError(
            f"{TEXT}, such as {str(array.flat[0])!r}. Turn class names into "
            "numbers: `names, labels = np.unique(labels, return_inverse=True)`"
        )
    return native(array)


def ranked(y_true: Any, y_pred: Any) -> Any:
    """`y_true` as a tensor whose number of axes is known.

    TensorFlow forgets the rank once a step was traced with and without
    further columns.
    """
    y_true = as_tensor(y_true)
    if is_unranked(y_true.shape):
        y_true = ops.reshape(y_true, (ops.shape(y_pred)[0], -1))
    return y_true


def columns_of_each(y_true: Any, y_pred: Any) -> Any:
    """Labels of `(N, labels)` outputs with an axis for the clean ones.

    Labels of shape `(N, labels)` have no clean ones.
    """
    y_true, count = as_tensor(y_true), y_pred.shape[-1]
    if is_unranked(y_true.shape) or (count == 1 and len(y_true.shape) < 3):
        return ops.reshape(y_true, (ops.shape(y_pred)[0], count, -1))
    return y_true if len(y_true.shape) == 3 else y_true[..., None]


def is_unranked(shape: Any) -> bool:
    """Whether TensorFlow has forgotten the number of axes."""
    return getattr(shape, "rank", 0) is None


def static_shape(x: Any) -> tuple[int | None, ...]:
    """The shape as far as it is known."""
    if is_unranked(x.shape):
        raise ValueError(
            "Expected labels, predictions and weights whose number of axes is "
            "known. TensorFlow forgets it in `tf.numpy_function` and "
            "`tf.py_function`: call `labels.set_shape((None,))` or "
            "`tf.ensure_shape(labels, (None,))` after them, with `()` instead "
            "of `(None,)` before samples are batched. It also does so if a "
            "model receives labels of several shapes, such as (N,) and "
            "(N, 1): use one shape, or compile the model again"
        )
    return tuple(x.shape)


def agree(left: tuple, right: tuple) -> bool:
    """Whether shapes can be equal, where None is a size that is not known."""
    return len(left) == len(right) and all(
        None in (a, b) or a == b for a, b in zip(left, right, strict=True)
    )


def is_float(x: Any) -> bool:
    """Whether a tensor has a floating dtype."""
    return keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(x.dtype)
    )


def widened(labels: Any) -> Any:
    """Labels in a dtype that holds every class count and `ignore_class`."""
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if dtype in ("int32", "int64") or keras.backend.is_float_dtype(dtype):
        return labels
    if dtype == "string":
        raise ValueError(
            f"{TEXT}. Turn class names into numbers before the data set, or in "
            "it with `keras.layers.StringLookup(vocabulary=names, "
            "num_oov_indices=0)`"
        )
    # By default JAX has no int64: large unsigned labels become negative there,
    # which is invalid too.
    large = dtype in ("uint32", "uint64")
    wide = large and keras.backend.backend() != "jax"
    return ops.cast(labels, "int64" if wide else "int32")


def safe_index(labels: Any, num_classes: Any) -> tuple[Any, Any]:
    """Labels moved into [0, num_classes), and which of them were valid."""
    if is_float(labels):
        whole = ops.logical_and(labels == ops.floor(labels), labels >= 0)
        valid = ops.logical_and(whole, labels < num_classes)
        return ops.cast(ops.where(valid, labels, 0), "int32"), valid
    # The remainder is the label itself exactly where the label is in range.
    if not isinstance(num_classes, int):
        num_classes = ops.cast(num_classes, labels.dtype)
    index = labels % num_classes
    return index, index == labels
