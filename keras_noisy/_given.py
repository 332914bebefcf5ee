"""Labels of samples, with names and images, from any supported form."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._elements import Elements
from keras_noisy._label_arrays import check_classes, whole_labels
from keras_noisy._names import names_by_label
from keras_noisy.datasets.image_files import opened


def given_labels(name: str, labels: Any) -> np.ndarray:
    """Labels of shape (N,), also from (N, 1) and those of `with_index`."""
    array = as_array(name, labels)
    if _has_index(array):
        array = array[:, 0]
    array = whole_labels(name, array).astype("int64")
    if len(array) == 0:
        raise invalid(name, labels, "at least one label")
    return array


def labels_of_elements(
    name: str, labels: Any, multi_label: bool, may_be_one_hot: bool
) -> np.ndarray:
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
    flat = whole_labels(name, array.reshape(-1)).astype("int64")
    array = flat.reshape(array.shape)
    if array.size == 0:
        raise invalid(name, labels, "at least one label")
    if not may_be_one_hot and _is_one_hot(array):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected integer labels; "
            "take `np.argmax(..., axis=-1)` of one-hot labels first. If each "
            "column is its own label, pass `multi_label=True`; if these "
            "are tokens or pixels, pass `ignore_class=-1`. Received: "
            f"{name}.shape={array.shape}, with one 1 in each row"
        )
    return array


def _has_index(array: np.ndarray) -> bool:
    """Whether a second column has the number of each sample."""
    # One-hot labels of two classes have many equal rows.
    return array.shape[1:] == (2,) and len(np.unique(array[:, 1])) == len(array)


def _is_one_hot(array: np.ndarray) -> bool:
    is_binary = array.min() == 0 and array.max() == 1
    return bool(is_binary and np.all(array.sum(axis=-1) == 1))


def by_position(name: str, value: Any, count: int) -> Any:
    """A container with an entry for each sample, read by position."""
    if not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        value = as_array(name, value)
    if isinstance(value, Mapping):
        raise invalid(name, type(value), "an array, a list or a column")
    value = without_index(value)
    check_length(name, len(value), count)
    return value


def check_length(name: str, length: int, count: int) -> None:
    """Raise an error unless there is one entry for each label."""
    if length != count:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected one entry for each "
            f"of the {count} labels of `y`. Received: len({name})={length}"
        )


def without_index(value: Any) -> Any:
    """A table or column as an array; others are read by position anyway."""
    return as_array("x", value) if hasattr(value, "to_numpy") else value


def names_of_classes(names: Any, elements: Elements) -> list[str] | None:
    """The names as strings; an error if a label has none."""
    if names is None:
        return None
    names = names_by_label(names)
    if elements.multi_label:
        if len(names) != elements.each:
            expected = f"a name for each of the {elements.each} labels"
            raise invalid("class_names", names, expected)
        return names
    most = elements.labels.max()
    if len(names) <= most:
        expected = f"a name for each class, as `y` has a label {most}"
        raise invalid("class_names", names, expected)
    return names


class Labeled(NamedTuple):
    """Labels, with their clean labels, names and images."""

    elements: Elements
    clean_labels: np.ndarray | None
    class_names: list[str] | None
    images: Any

    @property
    def labels(self) -> np.ndarray:
        """The labels in the shape of `y`."""
        return self.elements.given


def labeled(
    y: Any,
    clean_labels: Any = None,
    class_names: Any = None,
    images: Any = None,
) -> Labeled:
    """The labels of `y`, with names and pictures if it lists files."""
    y, class_names, images = _of_files(y, class_names, images)
    labels = given_labels("y", y)
    if clean_labels is not None:
        clean_labels = given_labels("clean_labels", clean_labels)
    return _checked(Elements(labels), clean_labels, class_names, images)


def labeled_elements(
    y: Any,
    clean_labels: Any = None,
    class_names: Any = None,
    images: Any = None,
    ignore_class: int | None = None,
    multi_label: bool = False,
) -> Labeled:
    """Like `labeled`, for labels of any shape."""
    if ignore_class is not None:
        ignore_class = integer("ignore_class", ignore_class)
    multi_label = boolean("multi_label", multi_label)
    y, class_names, images = _of_files(y, class_names, images)
    many_ones = multi_label or ignore_class is not None
    labels = labels_of_elements("y", y, multi_label, many_ones)
    if clean_labels is not None:
        clean_labels = labels_of_elements(
            "clean_labels", clean_labels, multi_label, True
        )
    elements = Elements(labels, ignore_class, multi_label)
    return _checked(elements, clean_labels, class_names, images)


def _of_files(y: Any, class_names: Any, images: Any) -> tuple[Any, Any, Any]:
    """Labels, names and pictures of an object that lists files."""
    if _lists_files(y):
        y = opened(y)
    if hasattr(y, "files") and hasattr(y, "labels"):
        images = y.files if images is None else images
        if class_names is None:
            class_names = getattr(y, "class_names", None)
        y = y.labels
    return y, class_names, images


def _checked(
    elements: Elements, clean_labels: Any, class_names: Any, images: Any
) -> Labeled:
    flat, ignored = elements.given.reshape(-1), elements.ignore_class
    if ignored is not None:
        flat = np.where(flat == ignored, 0, flat)
    check_classes("y", flat, 2 if elements.multi_label else None)
    count = len(elements.given)
    if clean_labels is not None:
        check_length("clean_labels", len(clean_labels), count)
        if clean_labels.shape != elements.given.shape:
            raise ValueError(
                "Invalid value for argument `clean_labels`. Expected the shape "
                f"of `y`, {elements.given.shape}. Received: "
                f"clean_labels.shape={clean_labels.shape}"
            )
        if elements.take(clean_labels).min() < -1:
            raise invalid("clean_labels", clean_labels, "labels of at least -1")
    if images is not None:
        images = by_position("images", images, count)
    names = names_of_classes(class_names, elements)
    return Labeled(elements, clean_labels, names, images)


def _lists_files(y: Any) -> bool:
    """Whether this is a folder or a table of paths, not a column of labels."""
    if isinstance(y, str | os.PathLike | Mapping):
        return True
    is_frame = hasattr(y, "columns") and not isinstance(y, np.ndarray)
    if not is_frame or len(y.columns) < 2:
        return False
    # Columns of labels that differ in type are objects too, but not text.
    cells = np.asarray(y)
    return cells.dtype.kind == "O" and any(
        isinstance(cell, str | os.PathLike) for cell in cells.flat
    )
