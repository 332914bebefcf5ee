"""Checks of probabilities: rows that are distributions, square matrices."""

from typing import Any

import numpy as np

from keras_noisy._containers import as_array, floats
from keras_noisy._label_arrays import class_labels

#: Half precision rounds a row by this much.
TOLERANCE = 2e-3
#: How far the sum of probabilities may be from 1 after rounding to a few
#: decimals, or in bfloat16. No sum of such decimals equals this limit.
SUM_TOLERANCE = 0.1005


def distributions(
    name: str, value: Any, expected: str, before: int = 0
) -> np.ndarray:
    """`value` as float64 if its rows are probabilities that sum to 1.

    Errors count the rows `before` these, if they are a part of all.
    """
    rows = floats(name, value, expected)
    single = rows.ndim in (1, 2) and rows.shape[1:] in ((), (1,))
    if rows.ndim != 2 or 0 in rows.shape or single:
        advice = (
            ". Turn a single output `p` into two with `np.stack([1 - p, p], "
            "axis=1)`; a model needs two outputs here"
        )
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}.shape={rows.shape}" + advice * single
        )
    sums = rows.sum(axis=1)
    bad = ~(np.all(rows >= 0, axis=1) & (np.abs(sums - 1) < TOLERANCE))
    if np.any(bad):
        first = int(np.argmax(bad))
        advice = "; of logits, take softmax or sigmoid"
        advice *= name == "probabilities"
        if np.all(rows[first] >= 0) and abs(sums[first] - 1) < SUM_TOLERANCE:
            advice = "; divide each row by its sum"
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}, in "
            "rows without negative entries that sum to 1. Received: row "
            f"{before + first} from {rows[first].min():g} to "
            f"{rows[first].max():g} that sums to {sums[first]:g}{advice}"
        )
    return rows


def predictions(probabilities: Any) -> np.ndarray:
    """The argument `probabilities` as rows of shape (N, num_classes)."""
    rows = as_array("probabilities", probabilities)
    expected = "probabilities of shape (N, num_classes)"
    return distributions("probabilities", rows, expected)


def labels_of(rows: np.ndarray, name: str, labels: Any) -> np.ndarray:
    """The labels of these predictions, integers of shape (N,)."""
    labels = class_labels(name, labels, rows.shape[1])
    if len(labels) != len(rows):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected one for each of "
            f"the {len(rows)} rows of `probabilities`. Received: {len(labels)}"
        )
    return labels


def of_model(outputs: np.ndarray, from_logits: bool) -> np.ndarray:
    """The outputs of a built model as float64 rows that sum to 1."""
    rows = outputs
    if from_logits:
        rows = np.exp(rows - rows.max(axis=-1, keepdims=True))
    sums = rows.sum(axis=-1, keepdims=True)
    # Rounding of a bfloat16 sum over many classes.
    if rows.ndim == 2 and (from_logits or np.all(np.abs(sums - 1) < 0.02)):
        rows = rows / sums
    expected = "a model that returns probabilities, or `from_logits=True`"
    return distributions("build_model", rows, expected)


def transition_matrix(name: str, value: Any) -> np.ndarray:
    """`value` as float64 if it is square and row-stochastic."""
    expected = (
        "a row-stochastic square matrix of numbers, of shape "
        "(num_classes, num_classes), at least 2 classes, such as "
        "`noise.symmetric(num_classes, rate)`"
    )
    matrix = distributions(name, value, expected)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}.shape={matrix.shape}"
        )
    return matrix


def is_distribution(rows: np.ndarray) -> bool:
    """Whether all rows are probabilities that sum to 1, roughly.

    Rows with NaN pass: they show in the loss anyway.
    """
    return not np.any(bad_rows(rows))


def bad_rows(rows: np.ndarray) -> np.ndarray:
    """Which rows are not probabilities that sum to 1, roughly."""
    rows = rows.astype("float32")
    sums = np.sum(rows, axis=-1, dtype="float32")
    return np.any(rows < 0, axis=-1) | (np.abs(sums - 1) > SUM_TOLERANCE)
