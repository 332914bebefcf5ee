"""Labels of samples, and what belongs to each, in whatever form they are."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels, whole_labels
from keras_noisy._names import names_by_label
from keras_noisy.datasets.image_files import opened


def given_labels(name: str, labels: Any) -> np.ndarray:
    """Labels of shape (N,), also from (N, 1) and those of `with_index`."""
    array = as_array(name, labels)
    # One-hot labels of two classes have many rows that are the same.
    if array.shape[1:] == (2,) and len(np.unique(array[:, 1])) == len(array):
        array = array[:, 0]
    array = whole_labels(name, array).astype("int64")
    if len(array) == 0:
        raise invalid(name, labels, "at least one label")
    return array


def by_position(name: str, value: Any, count: int) -> Any:
    """Something with an entry for each sample, to be read by position."""
    if not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        value = as_array(name, value)
    if isinstance(value, Mapping):
        raise invalid(name, type(value), "an array, a list or a column")
    value = without_index(value)
    check_length(name, len(value), count)
    return value


def check_length(name: str, length: int, count: int) -> None:
    """An error unless there is one entry for each label."""
    if length != count:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected one entry for each "
            f"of the {count} labels of `y`. Received: len({name})={length}"
        )


def without_index(value: Any) -> Any:
    """A table or its column as an array; all else is read by position."""
    return as_array("x", value) if hasattr(value, "to_numpy") else value


def names_of_classes(names: Any, labels: np.ndarray) -> list[str] | None:
    """The names as strings; an error if a label has none."""
    if names is None:
        return None
    names = names_by_label(names)
    if len(names) <= labels.max():
        raise invalid(
            "class_names",
            names,
            f"a name for each class, as `y` has a label {labels.max()}",
        )
    return names


class Labeled(NamedTuple):
    """Labels, and what belongs to them."""

    labels: np.ndarray
    clean_labels: np.ndarray | None
    class_names: list[str] | None
    images: Any


def labeled(
    y: Any,
    clean_labels: Any = None,
    class_names: Any = None,
    images: Any = None,
) -> Labeled:
    """The labels of `y`, with names and pictures if it lists files."""
    if _lists_files(y):
        y = opened(y)
    if hasattr(y, "files") and hasattr(y, "labels"):
        images = y.files if images is None else images
        if class_names is None:
            class_names = getattr(y, "class_names", None)
        y = y.labels
    labels = class_labels("y", given_labels("y", y))
    count = len(labels)
    if clean_labels is not None:
        clean_labels = given_labels("clean_labels", clean_labels)
        if clean_labels.min() < -1:
            raise invalid("clean_labels", clean_labels, "labels of at least -1")
        check_length("clean_labels", len(clean_labels), count)
    if images is not None:
        images = by_position("images", images, count)
    names = names_of_classes(class_names, labels)
    return Labeled(labels, clean_labels, names, images)


def _lists_files(y: Any) -> bool:
    """Whether this is a folder or a table of paths, and no column of labels."""
    if isinstance(y, str | os.PathLike | Mapping):
        return True
    is_frame = hasattr(y, "columns") and not isinstance(y, np.ndarray)
    return is_frame and len(y.columns) > 1 and np.asarray(y).dtype.kind == "O"
