"""Training data after a decision about every label."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels

ACTIONS = ("drop", "relabel", "weight", "soft")


def cleaned(
    findings: Any,
    x: Any,
    y: Any,
    action: str,
    n: int | None,
    score: str | None,
) -> tuple[Any, ...]:
    """What `Findings.clean` returns."""
    if action not in ACTIONS:
        raise invalid(
            "action", action, f"one of {', '.join(map(repr, ACTIONS))}"
        )
    labels = findings.given(y)
    check_samples(x, len(labels))
    if action == "drop":
        kept = np.ones(len(labels), bool)
        kept[findings.suspects(n, score)] = False
        if not kept.any():
            raise invalid("n", n, "fewer suspects than there are samples")
        return taken(x, np.flatnonzero(kept)), labels[kept]
    if action == "relabel":
        suspects = findings.suspects(n, score)
        labels[suspects] = findings.predicted[suspects]
        return x, labels
    parts = findings.evidence.posterior(findings.estimate())
    if action == "weight":
        weights = np.empty(len(labels), "float32")
        for rows, shares in parts:
            own = labels[rows]
            weights[rows] = shares[np.arange(len(own)), own]
        return x, labels, weights
    num_classes = len(findings.class_names)
    soft = np.empty((len(labels), num_classes), "float32")
    for rows, shares in parts:
        soft[rows] = shares
    return x, soft


def own_labels(y: Any, labels: np.ndarray) -> np.ndarray:
    """A copy of the labels; an error if `y` is not these."""
    if y is not None:
        given = class_labels("y", y)
        if not np.array_equal(given, labels):
            differ = len(given) != len(labels) or np.count_nonzero(
                given != labels
            )
            raise ValueError(
                "Invalid value for argument `y`. Expected the labels that the "
                f"scores are of, {len(labels)} of them in the same order. "
                f"Received: {len(given)} labels"
                + (f", {differ} others" if len(given) == len(labels) else "")
            )
    return labels.copy()


def check_samples(x: Any, count: int) -> None:
    """An error unless samples can be taken out of `x` by position."""
    for part in _parts(x):
        size = len(part) if hasattr(part, "__len__") else None
        if size != count or isinstance(part, keras.utils.PyDataset):
            raise ValueError(
                f"Invalid value for argument `x`. Expected {count} samples in "
                "an array, a table or a list, such as the paths of the files. "
                f"Received: {type(part).__name__}"
                + (f" of length {size}" if size is not None else "")
                + ". For a data set of batches take `suspects()`, the indices"
            )


def taken(x: Any, indices: np.ndarray) -> Any:
    """The samples of these indices, in the form that `x` has."""
    if isinstance(x, dict):
        return {name: taken(part, indices) for name, part in x.items()}
    if hasattr(x, "iloc"):  # a table, whose index is no position
        return x.iloc[indices]
    if isinstance(x, list | tuple):
        if _holds_arrays(x):
            return type(x)([taken(part, indices) for part in x])
        return type(x)([x[i] for i in indices.tolist()])
    return as_array("x", x)[indices]


def _holds_arrays(x: list | tuple) -> bool:
    """Whether a list is of several inputs, rather than of samples."""
    return bool(x) and all(len(getattr(part, "shape", ())) > 0 for part in x)


def _parts(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [leaf for part in x.values() for leaf in _parts(part)]
    if isinstance(x, list | tuple) and _holds_arrays(x):
        return [leaf for part in x for leaf in _parts(part)]
    return [x]
