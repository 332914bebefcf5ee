"""Checks of arrays of integer labels."""

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid

WHOLE = "whole numbers of shape (N,) or (N, 1)"


def whole_labels(name: str, value: Any) -> np.ndarray:
    """`value` as a flat array of integers; whole floats become int64."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # of rows that differ in length
        raise invalid(name, value, WHOLE) from error
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {WHOLE}. Received: "
            f"{name}.shape={array.shape}"
            + "; take `np.argmax(..., axis=-1)` of one-hot labels first"
            * (array.ndim == 2)
        )
    array = array.reshape(-1)
    if array.dtype.kind == "f":
        whole = (array == np.floor(array)) & (np.abs(array) < 2**53)
        _refuse(name, array, ~whole, WHOLE)
        return array.astype("int64")
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {WHOLE}. Received: "
            f"{name}.dtype={array.dtype}"
        )
    return array


def class_labels(
    name: str, value: Any, num_classes: int | None = None
) -> np.ndarray:
    """`value` as a flat array of integers in `[0, num_classes)`."""
    array = whole_labels(name, value)
    if num_classes is None:
        _refuse(name, array, array < 0, "labels of at least 0")
    else:
        outside = (array < 0) | (array >= num_classes)
        _refuse(name, array, outside, f"labels in [0, {num_classes})")
    return array


def _refuse(
    name: str, array: np.ndarray, bad: np.ndarray, expected: str
) -> None:
    if np.any(bad):
        first = int(np.argmax(bad))
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}[{first}]={array[first]}, the first of "
            f"{np.count_nonzero(bad)} that are not"
        )
