"""The given labels, of samples or of their elements."""

from typing import Any

import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._elements import Elements
from keras_noisy._label_arrays import (
    check_classes,
    may_be_one_hot,
    whole_labels,
)


def given_labels(name: str, labels: Any) -> np.ndarray:
    """Labels of shape (N,), also from (N, 1) and those of `with_index`."""
    array = as_array(name, labels)
    if _has_index(array):
        array = array[:, 0]
    array = whole_labels(name, array).astype("int64")
    if len(array) == 0:
        raise invalid(name, labels, "at least one label")
    return array


def labels_of_elements(name: str, labels: Any, multi_label: bool) -> np.ndarray:
    """Labels of any shape; those of samples as `given_labels` reads them.

    A last axis of length 1 is left out.
    """
    array = as_array(name, labels)
    if array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 1 or (not multi_label and _has_index(array)):
        return given_labels(name, array)
    if array.dtype.kind == "f" and np.any(np.isnan(array)):
        expected = "whole numbers; mark unknown labels with `ignore_class`"
        raise invalid(name, array, expected)
    if not multi_label and may_be_one_hot(array) and np.any(array % 1):
        whole_labels(name, array)  # an error that says what to do
    flat = whole_labels(name, array.reshape(-1)).astype("int64")
    array = flat.reshape(array.shape)
    if array.size == 0:
        raise invalid(name, labels, "at least one label")
    return array


def elements_of(
    y: Any, ignore_class: int | None, multi_label: bool
) -> Elements:
    """The labels that have a score; an error for labels that are no class."""
    if ignore_class is not None:
        ignore_class = integer("ignore_class", ignore_class)
    multi_label = boolean("multi_label", multi_label)
    array = labels_of_elements("y", y, multi_label)
    if ignore_class is None and not multi_label and _is_one_hot(array):
        raise ValueError(
            "Invalid value for argument `y`. Expected integer labels; take "
            "`np.argmax(..., axis=-1)` of one-hot labels first. If each "
            "column is its own label, pass `multi_label=True`; if these "
            "are tokens or pixels, pass `ignore_class=-1`. Received: "
            f"y.shape={array.shape}, with one 1 in each row"
        )
    flat = array.reshape(-1)
    if ignore_class is not None:
        flat = np.where(flat == ignore_class, 0, flat)
    check_classes("y", flat, 2 if multi_label else None)
    return Elements(array, ignore_class, multi_label)


def _has_index(array: np.ndarray) -> bool:
    """Whether a second column has the number of each sample."""
    # One-hot labels of two classes have many equal rows.
    return array.shape[1:] == (2,) and len(np.unique(array[:, 1])) == len(array)


def _is_one_hot(array: np.ndarray) -> bool:
    if array.ndim == 1 or array.min() != 0 or array.max() != 1:
        return False
    return bool(np.all(array.sum(axis=-1) == 1))
