"""Labels of any shape, as a list of the labels that have a score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import (
    check_classes,
    may_be_one_hot,
    whole_labels,
)


class Elements:
    """The labels that have a score: all except `ignore_class`.

    An element is a token, a pixel, an output of a multi-label model, or a
    sample with one label. Scores are flat arrays of the elements, in order.
    """

    def __init__(
        self,
        given: np.ndarray,
        ignore_class: int | None = None,
        multi_label: bool = False,
    ):
        #: The labels in the shape of `y`.
        self.given = given
        self.ignore_class = ignore_class
        self.multi_label = multi_label
        self.labels = given.reshape(-1)
        #: Where the elements are among all labels, None for everywhere.
        self._places: np.ndarray | None = None
        if ignore_class is not None and np.any(self.labels == ignore_class):
            small = "int32" if given.size < 2**31 else "int64"
            places = np.flatnonzero(self.labels != ignore_class)
            self._places = places.astype(small)
            self.labels = self.labels[places]
        if len(self.labels) == 0:
            raise invalid("y", given, "a label that is not `ignore_class`")

    @property
    def is_plain(self) -> bool:
        """Whether a sample has one label."""
        return self.given.ndim == 1

    @property
    def are_areas(self) -> bool:
        """Whether a person reviews whole samples instead of elements."""
        return self.given.ndim > 2

    @property
    def each(self) -> int:
        """Number of labels of a sample."""
        return math.prod(self.given.shape[1:])

    def places(self, found: np.ndarray) -> np.ndarray:
        """Where elements are in the flat labels."""
        places = found if self._places is None else self._places[found]
        return places.astype("int64")

    def indices(self, found: np.ndarray) -> np.ndarray:
        """Where elements are in `y`, a row for each if it has several axes."""
        return self.unraveled(self.places(found))

    def unraveled(self, places: np.ndarray) -> np.ndarray:
        """Places in the flat labels as indices of `y`."""
        if self.is_plain:
            return places
        return np.column_stack(np.unravel_index(places, self.given.shape))

    def samples(self, found: np.ndarray) -> np.ndarray:
        """The samples that elements belong to."""
        return self.places(found) // self.each

    def take(self, values: np.ndarray) -> np.ndarray:
        """The elements of an array in the shape of `y`, flat."""
        flat = values.reshape(-1)
        return flat if self._places is None else flat[self._places]

    def put(self, values: np.ndarray, rest: Any) -> np.ndarray:
        """Values of the elements in the shape of `y`, with `rest` elsewhere.

        Each value may be a row, for one more axis.
        """
        shape = self.given.shape + values.shape[1:]
        if self._places is None:
            return values.reshape(shape)
        found = np.empty((self.given.size, *values.shape[1:]), values.dtype)
        found[:] = rest
        found[self._places] = values
        return found.reshape(shape)

    def worst(self, values: np.ndarray) -> np.ndarray:
        """The largest value of each sample, NaN if it has no element."""
        rows = self.put(values, -np.inf).reshape(len(self.given), -1)
        largest = rows.max(axis=1)
        return np.where(np.isneginf(largest), np.nan, largest)

    def columns(self, shape: tuple[int, ...]) -> int | None:
        """How many numbers outputs of this shape have for each label.

        A single number is the probability or logit of class 1. The result is
        `None` if the shape does not fit.
        """
        own, outputs = self.given.shape[1:], tuple(shape[1:])
        is_single = outputs == own and (self.multi_label or self.is_plain)
        if is_single or outputs == (*own, 1):
            return 1
        fits = outputs[:-1] in (own, (*own, 1)) and len(outputs) > 0
        return outputs[-1] if fits and not self.multi_label else None

    def rows(
        self, outputs: np.ndarray, samples: np.ndarray, size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Outputs, labels and places of elements, `size` or fewer at a time.

        `outputs` holds the outputs of `samples`.
        """
        flat = outputs.reshape(-1, self.columns(outputs.shape) or 1)
        given = self.given.reshape(-1)
        for low in range(0, len(flat), size):
            part = flat[low : low + size]
            row, column = np.divmod(np.arange(low, low + len(part)), self.each)
            places = samples[row] * self.each + column
            labels = given[places]
            found = part, labels, places
            if self._places is not None:
                scored = labels != self.ignore_class
                found = part[scored], labels[scored], places[scored]
            yield found

    def expected(self) -> str:
        """The shapes of outputs that fit, for an error message."""
        own = self.given.shape
        if self.multi_label:
            return f"{own}, a probability or logit for each label"
        single = (*own, 1) if own[1:] else f"({own[0]}, 1)"
        classes = ", ".join(map(str, own))
        return f"({classes}, num_classes), or {single} for two classes"


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
