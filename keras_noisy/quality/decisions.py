"""The decisions that a person made on a report page."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy._elements import Elements
from keras_noisy._files import path_of
from keras_noisy.quality._clean import (
    check_can_be_left_out,
    check_samples,
    own_labels,
    warn_of_lost_classes,
    without,
)

COLUMNS = ("index", "decision", "given", "new", "data")


@dataclass(frozen=True)
class Decisions:
    """The decisions of a person about some labels.

    `decisions` of `FeatureQuality`, `PredictionQuality` and `LabelQuality`
    reads them from the file that the page of `report` downloads.

    Args:
        labels: The given labels, integers of shape `(N,)`, or with more axes
            if samples have several labels.
        kept: Indices of samples whose labels are right, int64. If the page
            showed each label of a sample, these are rows of indices into
            `labels`, as from `suspects`; likewise `dropped` and `relabeled`.
        dropped: Indices of samples to leave out, int64.
        relabeled: Indices of samples with a new label, int64.
        new_labels: The new labels of `relabeled`, int64.
        ignore_class: Value for a dropped label that is one of several.
            Defaults to `None`, which rejects dropping such a label.
        multi_label: Whether labels are 0 and 1 of several outputs. Defaults to
            `False`.

    Returns:
        An object with these attributes and `apply`.

    Raises:
        ValueError: If the data passed to `apply` do not fit.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import Decisions
    >>> y, none = np.array([0, 1, 1, 0]), np.array([], int)
    >>> found = Decisions(y, none, np.array([3]), np.array([1]), np.array([0]))
    >>> found.apply(["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    (['a.jpg', 'b.jpg', 'c.jpg'], array([0, 0, 1]))

    References:
        - Northcutt, Athalye, Mueller, Pervasive label errors in test sets
          destabilize machine learning benchmarks, NeurIPS 2021,
          arXiv 2103.14749
    """

    labels: np.ndarray = field(repr=False)
    kept: np.ndarray
    dropped: np.ndarray
    relabeled: np.ndarray
    new_labels: np.ndarray
    ignore_class: int | None = field(default=None, repr=False)
    multi_label: bool = field(default=False, repr=False)

    def apply(self, x: Any, y: Any = None) -> tuple[Any, np.ndarray]:
        """The data without dropped samples and with the new labels.

        If samples have several labels, a dropped label becomes
        `ignore_class` and the sample stays.

        Args:
            x: The samples, in the order of the labels: arrays, a table, a
                list such as a list of paths, or a nest of these.
            y: Their labels, which must equal the given labels. Defaults to
                `None`, the given labels.

        Returns:
            `(x, y)`.

        Raises:
            ValueError: If `y` differs from the given labels, or `x` has another
                number of samples.
        """
        elements = Elements(self.labels, None, self.multi_label)
        labels = own_labels(y, elements)
        check_samples(x, len(labels))
        if count := len(self.relabeled):
            rows = self.relabeled.reshape(count, -1)
            labels[tuple(rows.T)] = self.new_labels
        if self.dropped.ndim == 1:  # samples, or none at all
            x, labels = without(
                x, labels, self.dropped, "dropped", self.dropped
            )
        elif len(self.dropped):
            check_can_be_left_out(self.ignore_class, "dropped", self.dropped)
            labels[tuple(self.dropped.T)] = self.ignore_class
        warn_of_lost_classes(elements, labels)
        return x, labels


def read_decisions(
    path: str | os.PathLike, elements: Elements, num_classes: int, key: str
) -> Decisions:
    """Read decisions from a file, which must belong to these labels."""
    path, labels = path_of(path), elements.given.reshape(-1)
    count = len(elements.given) if elements.are_areas else len(labels)
    found: dict[str, list[int]] = {"keep": [], "drop": [], "relabel": []}
    new = []
    seen = set()
    for line, row in _rows(path):
        if not any(row.values()):
            continue
        if row["data"] != key:
            raise _error(
                path,
                f"line {line}, which belongs to other labels or pictures "
                f"(data {row['data']}, not {key})",
            )
        index = _number(path, line, row["index"], count)
        if index in seen:
            raise _error(path, f"line {line}, a second one for {index}")
        seen.add(index)
        if row["decision"] not in found:
            what = f"{row['decision']!r}, not {', '.join(found)}"
            raise _error(path, f"line {line}: {what}")
        given = _number(path, line, row["given"], num_classes)
        # The line of an area shows only the worst of its many labels.
        if not elements.are_areas and given != labels[index]:
            raise _error(path, f"line {line}, another given label")
        found[row["decision"]].append(index)
        if row["decision"] == "relabel":
            if elements.are_areas:  # one label for the whole area
                what = "relabel, but an area is kept or dropped"
                raise _error(path, f"line {line}: {what}")
            new.append(_number(path, line, row["new"], num_classes))
        elif row["new"]:  # someone forgot to change the decision
            what = f"a new label to {row['decision']}, not to relabel"
            raise _error(path, f"line {line}, {what}")
    # Samples, or rows of indices if the page shows each label.
    kept, dropped, relabeled = (
        places if elements.are_areas else elements.unraveled(places)
        for places in (np.array(of, "int64") for of in found.values())
    )
    return Decisions(
        elements.given.copy(),
        kept,
        dropped,
        relabeled,
        np.array(new, "int64"),
        elements.ignore_class,
        elements.multi_label,
    )


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The lines after that with the columns, with their numbers."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            # In many countries spreadsheets separate columns by semicolons.
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            reader = csv.DictReader(file, delimiter=delimiter)
            rows = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or ()
        except (UnicodeDecodeError, csv.Error) as error:
            what = "which is not UTF-8 text: save it as CSV (UTF-8)"
            raise _error(path, what) from error
    if set(COLUMNS) - set(columns):
        raise _error(path, f"columns {', '.join(columns) or 'none'}")
    return rows


def _number(path: Path, line: int, text: str | None, end: int) -> int:
    """A whole number in [0, end), also as a spreadsheet saves it."""
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not (value.is_integer() and 0 <= value < end):
        raise _error(path, f"line {line}: {text!r}, not in [0, {end})")
    return int(value)


def _error(path: Path, what: str) -> ValueError:
    return ValueError(
        "Invalid value for argument `path`. Expected the file decisions.csv "
        "that the page of `report` for these data downloads, with columns "
        f"{', '.join(COLUMNS)}. Received: {path}, {what}"
    )
