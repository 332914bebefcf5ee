"""Labels of samples, with names and images, from any supported form."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._elements import (
    Elements,
    elements_of,
    given_labels,
    labels_of_elements,
)
from keras_noisy._label_arrays import check_classes
from keras_noisy._names import names_by_label
from keras_noisy.datasets.image_files import opened


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
    y: Any, clean_labels: Any, class_names: Any, images: Any
) -> Labeled:
    """The labels of `y`, with names and pictures if it lists files."""
    y, class_names, images = _of_files(y, class_names, images)
    labels = given_labels("y", y)
    check_classes("y", labels)
    if clean_labels is not None:
        clean_labels = given_labels("clean_labels", clean_labels)
    return _checked(Elements(labels), clean_labels, class_names, images)


def labeled_elements(
    y: Any,
    clean_labels: Any,
    class_names: Any,
    images: Any,
    ignore_class: int | None,
    multi_label: bool,
) -> Labeled:
    """Like `labeled`, for labels of any shape."""
    y, class_names, images = _of_files(y, class_names, images)
    elements = elements_of(y, ignore_class, multi_label)
    if clean_labels is not None:
        clean_labels = labels_of_elements(
            "clean_labels", clean_labels, multi_label
        )
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


def opened_files(x: Any) -> Any:
    """A folder or a table of paths as `ImageFiles`; others unchanged."""
    # A dictionary has the inputs of a model.
    return opened(x) if not isinstance(x, Mapping) and _lists_files(x) else x


def _lists_files(y: Any) -> bool:
    """Whether this is a folder or a table of paths, not a column of labels."""
    if isinstance(y, str | bytes | os.PathLike | Mapping):
        return True
    is_frame = hasattr(y, "columns") and not isinstance(y, np.ndarray)
    if not is_frame or len(y.columns) < 2:
        return False
    # Columns of labels that differ in type are objects too, but not text.
    cells = np.asarray(y)
    return cells.dtype.kind == "O" and any(
        isinstance(cell, str | bytes | os.PathLike) for cell in cells.flat
    )
