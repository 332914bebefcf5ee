"""What a person decided on the page of a report."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy.quality._clean import check_samples, own_labels, taken

COLUMNS = ("index", "decision", "given", "new", "data")


@dataclass(frozen=True)
class Decisions:
    """What a person decided about some labels.

    `decisions` of `FeatureQuality`, `PredictionQuality` and `LabelQuality`
    reads it from the file that the page of `report` downloads.

    Args:
        labels: The given labels, integers of shape `(N,)`.
        kept: Indices of samples whose labels are right, int64.
        dropped: Indices of samples to leave out, int64.
        relabeled: Indices of samples with a new label, int64.
        new_labels: Their new labels, int64, as many.

    Returns:
        An object with these attributes and `apply`.

    Raises:
        ValueError: If data do not fit.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import Decisions
    >>> y, none = np.array([0, 1, 0]), np.array([], int)
    >>> found = Decisions(y, none, np.array([2]), np.array([1]), np.array([0]))
    >>> found.apply(["a.jpg", "b.jpg", "c.jpg"])
    (['a.jpg', 'b.jpg'], array([0, 0]))

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

    def apply(self, x: Any, y: Any = None) -> tuple[Any, np.ndarray]:
        """The data without dropped samples and with new labels.

        Args:
            x: The samples, in the order of the labels: arrays, a table, a
                list such as one of paths, or a nest of these.
            y: Their labels, which are compared with those known here.
                Defaults to `None`, these.

        Returns:
            `(x, y)`.
        """
        labels = own_labels(y, self.labels)
        check_samples(x, len(labels))
        labels[self.relabeled] = self.new_labels
        kept = np.delete(np.arange(len(labels)), self.dropped)
        return taken(x, kept), labels[kept]


def read_decisions(
    path: str | os.PathLike, labels: np.ndarray, num_classes: int, key: str
) -> Decisions:
    """The decisions of a file that belongs to these labels."""
    path = Path(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
        except (UnicodeDecodeError, csv.Error) as error:
            what = "which is no text in UTF-8: save it as CSV (UTF-8)"
            raise _error(path, what) from error
        if set(COLUMNS) - set(columns):
            raise _error(path, f"columns {', '.join(columns) or 'none'}")
        found: dict[str, list[int]] = {"keep": [], "drop": [], "relabel": []}
        new = []
        seen = set()
        for line, row in enumerate(rows, 2):
            if row["data"] != key:
                raise _error(
                    path,
                    f"line {line}, which belongs to other labels or pictures "
                    f"(data {row['data']}, not {key})",
                )
            index = _number(path, line, row["index"], len(labels))
            if index in seen:
                raise _error(path, f"line {line}, a second one for {index}")
            seen.add(index)
            if row["decision"] not in found:
                raise _error(path, f"line {line}: {row['decision']!r}")
            if _number(path, line, row["given"], num_classes) != labels[index]:
                raise _error(path, f"line {line}, another given label")
            found[row["decision"]].append(index)
            if row["decision"] == "relabel":
                new.append(_number(path, line, row["new"], num_classes))
    kept, dropped, relabeled = (np.array(i, "int64") for i in found.values())
    return Decisions(labels, kept, dropped, relabeled, np.array(new, "int64"))


def _number(path: Path, line: int, text: str | None, end: int) -> int:
    """A whole number from 0 to below `end`, as a spreadsheet saves it too."""
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
