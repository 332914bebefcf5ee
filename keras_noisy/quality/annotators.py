"""One label per sample from the labels of several people."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import HIGHEST

STEPS, TOLERANCE = 200, 1e-7
#: Columns that count samples, as a table has when its index is a column.
_NUMBERS = re.compile(r"(.*[ _-])?id|index|unnamed: 0", re.IGNORECASE)
#: These together are in a table of a row for each label.
_PERSON = re.compile(r"worker|annotator|labell?er|rater|user", re.IGNORECASE)
_LABEL = re.compile(r"label|class|annotation|answer|response", re.IGNORECASE)


@dataclass(frozen=True)
class Annotated:
    """Labels merged from several annotators: the result of `from_annotators`.

    Args:
        labels: The likeliest label of each sample, int64 of shape `(N,)`.
        soft: Probabilities of the classes, float64 of shape `(N,
            num_classes)`, as training targets or to compute weights.
        confusion: `P(annotator says j | true = i)` for each annotator, float64
            of shape `(A, num_classes, num_classes)`.
        prior: Shares of the true classes, float64 of shape `(num_classes,)`.

    Returns:
        An object with these attributes.

    Example:

    >>> from keras_noisy.quality import from_annotators
    >>> from_annotators([[0, 0, 1], [1, 1, 1]], method="majority").labels
    array([0, 1])

    References:
        - Dawid, Skene, Maximum likelihood estimation of observer error-rates
          using the EM algorithm, Applied Statistics 1979
    """

    labels: np.ndarray
    soft: np.ndarray = field(repr=False)
    confusion: np.ndarray = field(repr=False)
    prior: np.ndarray = field(repr=False)


def from_annotators(
    annotations: Any,
    num_classes: int | None = None,
    method: str = "dawid_skene",
) -> Annotated:
    """Merge the labels of several annotators into one for each sample.

    Use it if several people labeled each sample, such as the three annotators
    of CIFAR-10N. A majority vote treats all annotators as equally able. The
    method of Dawid and Skene estimates how often each annotator confuses each
    pair of classes, and weights the annotators accordingly.

    Formula:

    ```
    P(true = i | labels) ~ prior_i * prod_a confusion_a[i, label_a]
    ```

    where `prior` and `confusion` are in turn estimated from these
    probabilities, until both converge.

    Args:
        annotations: Labels of shape `(N, A)`, one column per annotator, with
            -1 for a missing label. A table of a row for each label gets this
            form by `table.pivot(index="item", columns="worker",
            values="label").fillna(-1)`.
        num_classes: Number of classes. Defaults to `None`, one more than the
            largest label.
        method: `"dawid_skene"` or `"majority"`. A majority vote uses the
            shares of the votes as probabilities, and ties go to the smallest
            class. Defaults to `"dawid_skene"`.

    Returns:
        An `Annotated`: `labels`, `soft`, `confusion` and `prior`.

    Raises:
        ValueError: If labels are out of range, a sample has none, or a column
            has the name of something else, such as `"id"`.

    Example:

    >>> from keras_noisy.quality import from_annotators
    >>> votes = [[0, 0, 1], [1, 1, 0], [2, 2, 1], [1, 1, -1]]
    >>> from_annotators(votes).labels
    array([0, 1, 2, 1])

    References:
        - Dawid, Skene, Maximum likelihood estimation of observer error-rates
          using the EM algorithm, Applied Statistics 1979
    """
    votes = _votes(annotations)
    largest = int(votes.max())
    if num_classes is None:
        num_classes = largest + 1
    num_classes = integer("num_classes", num_classes, largest + 1)
    if method not in ("dawid_skene", "majority"):
        raise invalid("method", method, '"dawid_skene" or "majority"')
    row, annotator = np.nonzero(votes >= 0)
    label = votes[row, annotator]
    soft = np.zeros((len(votes), num_classes))
    np.add.at(soft, (row, label), 1)
    soft /= soft.sum(axis=1, keepdims=True)
    if method == "majority":
        labels = soft.argmax(axis=1)
        hard = np.eye(num_classes)[labels]
        prior, confusion = _rates(hard, votes)
        return Annotated(labels, soft, confusion, prior)
    before = -np.inf
    for _ in range(STEPS):
        prior, confusion = _rates(soft, votes)
        log = np.log(np.maximum(prior, 1e-300))[None].repeat(len(votes), 0)
        logs = np.log(np.maximum(confusion, 1e-300))
        for each, says in enumerate(votes.T):
            has = says >= 0
            log[has] += logs[each].T[says[has]]
        top = log.max(axis=1, keepdims=True)
        soft = np.exp(log - top)
        total = soft.sum(axis=1, keepdims=True)
        soft /= total
        likelihood = float(np.mean(top + np.log(total)))
        if likelihood - before < TOLERANCE:
            break
        before = likelihood
    return Annotated(soft.argmax(axis=1), soft, confusion, prior)


def _rates(
    soft: np.ndarray, votes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the classes, and the confusion matrix of each annotator.

    An annotator who has labeled no sample of a class gets the identity row.
    """
    num_classes = soft.shape[1]
    confusion = np.empty((votes.shape[1], num_classes, num_classes))
    for each, says in enumerate(votes.T):
        has = says >= 0
        said = np.eye(num_classes)[says[has]]
        counts = soft[has].T @ said
        total = counts.sum(axis=1, keepdims=True)
        confusion[each] = np.where(
            total > 0, counts / np.maximum(total, 1e-300), np.eye(num_classes)
        )
    return soft.mean(axis=0), confusion


def _check_columns(names: list[str]) -> None:
    """Raise an error for a table with columns that are no annotators."""
    numbers, persons, labels = (
        [name for name in names if kind.fullmatch(name)]
        for kind in (_NUMBERS, _PERSON, _LABEL)
    )
    if numbers or (persons and labels):
        raise ValueError(
            "Invalid value for argument `annotations`. Expected a row for each "
            "sample and a column for each annotator, and no others. Received: "
            f"columns {names}. Drop a column that counts the samples, as "
            '`table.drop(columns="id")` does. Turn a table of a row for each '
            'label into this form by `table.pivot(index="item", columns='
            '"worker", values="label").fillna(-1)`'
        )


_NUMBER = (
    ". Number the names of classes first: `table[column], names = "
    "pandas.factorize(table[column], sort=True)` of a table of a row for each "
    "label"
)


def _votes(annotations: Any) -> np.ndarray:
    _check_columns([str(name) for name in getattr(annotations, "columns", ())])
    array = as_array("annotations", annotations)
    expected = (
        "whole numbers of shape (N, A), -1 where there is no label, as "
        "`fillna(-1)` of a table gives them"
    )
    if array.dtype.kind == "O":
        with contextlib.suppress(TypeError, ValueError):
            array = array.astype("float64")
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "iufb":
        raise ValueError(
            f"Invalid value for argument `annotations`. Expected {expected}. "
            f"Received: shape {array.shape}, dtype {array.dtype}"
            + _NUMBER
            * any(isinstance(entry, str) for entry in array.flat)
        )
    votes = np.where(np.isfinite(array), array, -2)
    bad = (votes != np.floor(votes)) | (votes < -1) | (votes > HIGHEST)
    if np.any(bad):
        raise invalid("annotations", array[bad][:1].tolist(), expected)
    none = np.all(votes < 0, axis=1)
    if none.any():
        raise ValueError(
            "Invalid value for argument `annotations`. Expected at least one "
            f"label of each sample. Received: none of {np.count_nonzero(none)} "
            f"samples, the first is number {np.argmax(none)}"
        )
    return votes.astype("int64")
