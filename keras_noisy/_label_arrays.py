"""Checks of arrays of integer labels."""

import numbers
from typing import Any

import numpy as np

from keras_noisy._containers import as_array

WHOLE = "whole numbers of shape (N,) or (N, 1)"
#: What missing labels look like as text.
_MISSING = {"None", "nan", "<NA>", "NaT"}
#: JAX keeps 32 bits of an integer and wraps larger ones.
LOWEST, HIGHEST = -(2**31), 2**31 - 1
#: Floats below hold every whole number; in 16 bits it would overflow.
LAST_WHOLE = np.float64(2**53)


def whole_labels(name: str, value: Any) -> np.ndarray:
    """`value` as a flat array of integers; booleans and floats become int64."""
    array = as_array(name, value)
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {WHOLE}. Received: "
            f"{name}.shape={array.shape}"
            + "; take `np.argmax(..., axis=-1)` of one-hot labels first"
            * may_be_one_hot(array)
        )
    array = array.reshape(-1)
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    if array.dtype.kind == "b":
        return array.astype("int64")
    if array.dtype.kind == "f":
        whole = (array == np.floor(array)) & (np.abs(array) < LAST_WHOLE)
        _refuse(name, array, ~whole, WHOLE)
        array = array.astype("int64")
    if array.dtype.kind not in "iu":
        advice = (
            ". Turn class names into numbers: `names, labels = "
            "np.unique(labels, return_inverse=True)`"
        )
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {WHOLE}. Received: "
            f"{name}.dtype={array.dtype}" + advice * (array.dtype.kind in "UST")
        )
    refuse_wide(name, array)
    return array


def class_labels(
    name: str, value: Any, num_classes: int | None = None
) -> np.ndarray:
    """`value` as a flat array of integers in `[0, num_classes)`."""
    array = whole_labels(name, value)
    check_classes(name, array, num_classes)
    return array


def check_classes(
    name: str, array: np.ndarray, num_classes: int | None = None
) -> None:
    """Raise an error unless flat integers are in `[0, num_classes)`."""
    expected, outside = "labels of at least 0", array < 0
    any_below = bool(outside.any())
    if num_classes is not None:
        expected = f"labels in [0, {num_classes})"
        outside |= array >= num_classes
    advice = other_numbers(array, num_classes) or (
        ". Leave samples without a class out, or pass `ignore_class` if it is "
        "an argument" * any_below
    )
    _refuse(name, array, outside, expected, advice)


def other_numbers(array: np.ndarray, num_classes: int | None) -> str:
    """Advice for labels that are numbered otherwise, such as from 1."""
    ends = {array.min(), array.max()} if array.size else set()
    if ends == {1, num_classes}:
        return ". Labels that count from 1 need `labels - 1`"
    if num_classes in (None, 2):
        if ends == {-1, 1} and np.all(array):
            return ". Labels -1 and 1 need `(labels + 1) // 2`"
        if ends == {0, 255} and np.all(array % 255 == 0):
            return (
                ". Labels 0 and 255 need `labels // 255`, or "
                "`ignore_class=255` if 255 is no class"
            )
    return ""


def refuse_wide(name: str, array: np.ndarray) -> None:
    """Raise an error for integers of more than 32 bits, in any shape."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 4:
        return
    flat = array.reshape(-1)
    _refuse(
        name,
        flat,
        (flat < LOWEST) | (flat > HIGHEST),
        "integers of 32 bits; a missing label that was cast to an integer "
        "is larger: give such samples a label such as -1 and the loss "
        "`ignore_class=-1`",
    )


def may_be_one_hot(array: np.ndarray) -> bool:
    """Whether rows may be one-hot or soft labels, and not several labels."""
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        return False
    return bool(np.all(np.abs(array.sum(axis=1) - 1) < 0.1))


def _from_objects(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers or text of an array of Python objects."""
    values = array.tolist()
    if all(isinstance(value, str) for value in values):
        return array.astype(str)
    bad = [not isinstance(v, numbers.Real | np.bool_) for v in values]
    _refuse(name, array, np.array(bad, bool), WHOLE)
    return np.array(values)


def _refuse(
    name: str,
    array: np.ndarray,
    bad: np.ndarray,
    expected: str,
    advice: str = "",
) -> None:
    if np.any(bad):
        first = int(np.argmax(bad))
        found = array[first]
        if str(found) in _MISSING:
            advice = ". Leave samples without a label out"
        if array.dtype.kind == "O":  # The text "1" is not a number.
            found = repr(found)
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}[{first}]={found} "
            f"({np.count_nonzero(bad)} of {len(array)}){advice}"
        )
