"""Training data after the suspects are removed, relabeled or weighted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import choice, invalid
from keras_noisy._containers import as_array
from keras_noisy._elements import Elements, labels_of_elements
from keras_noisy._warn import warn
from keras_noisy.quality._ranked import Ranked

ACTIONS = ("drop", "relabel", "weight", "soft")


def cleaned(
    findings: Ranked,
    x: Any,
    y: Any,
    action: str,
    n: int | None,
    score: str | None,
) -> tuple[Any, ...]:
    """The result of `Findings.clean`."""
    choice("action", action, ACTIONS)
    elements = findings.elements
    labels = own_labels(y, elements)
    check_samples(x, len(labels))
    if action == "weight":
        return x, labels, _weights(findings)
    if action == "soft":
        return (x, *_soft(findings))
    if action == "drop" and not elements.is_plain:
        check_can_be_left_out(elements.ignore_class, "action", action)
    suspects = findings.found(n, score)
    places = elements.places(suspects)
    flat = labels.reshape(-1)
    if action == "relabel":
        flat[places] = findings.mended(suspects)
    elif elements.is_plain:
        x, labels = without(x, labels, places, "n", len(places))
    else:
        flat[places] = elements.ignore_class
    warn_of_lost_classes(elements, labels)
    return x, labels


def warn_of_lost_classes(elements: Elements, labels: np.ndarray) -> None:
    """Warn if a class among the given labels is not among the new ones."""
    lost = np.setdiff1d(elements.labels, labels)
    if len(lost):
        warn(
            f"No label of class {lost[0]} is left, the first of {len(lost)} "
            "such classes: a network that trains on these data cannot learn "
            "them. To keep rare classes, drop or relabel fewer labels (`n` of "
            '`clean`), or weight them with `clean(x, y, "weight")`'
        )


def without(
    x: Any, labels: np.ndarray, samples: np.ndarray, name: str, value: Any
) -> tuple[Any, np.ndarray]:
    """The data without some samples; raises if none is left."""
    kept = np.ones(len(labels), bool)
    kept[samples] = False
    if not kept.any():
        raise invalid(name, value, "fewer than there are samples")
    return taken(x, np.flatnonzero(kept), len(labels)), labels[kept]


def check_can_be_left_out(
    ignore_class: int | None, name: str, value: Any
) -> None:
    """Raise unless one of several labels can be marked as ignored."""
    if ignore_class is None:
        raise invalid(
            name,
            value,
            "no label to be dropped, as a sample cannot lose only one of its "
            "labels. Pass `ignore_class=-1` at the beginning, as to the loss, "
            "and dropped labels become -1; or use 'weight' or 'relabel'",
        )


def _weights(findings: Ranked) -> np.ndarray:
    """Probability that each label is right, 0 where it is ignored."""
    elements = findings.elements
    weights = np.empty(len(elements.labels), "float32")
    for rows, shares in findings.evidence.posterior(findings.estimate()):
        own = elements.labels[rows]
        weights[rows] = shares[np.arange(len(own)), own]
    return elements.put(weights, 0)


def _soft(findings: Ranked) -> tuple[np.ndarray, ...]:
    """Probabilities of the classes, and weights where labels are ignored."""
    elements, estimate = findings.elements, findings.estimate()
    count, num_classes = len(elements.labels), len(estimate.prior)
    width = () if findings.is_single else (num_classes,)
    soft = np.empty((count, *width), "float32")
    for rows, shares in findings.evidence.posterior(estimate):
        soft[rows] = shares[:, 1] if findings.is_single else shares
    if findings.is_single:
        return (elements.put(soft, elements.ignore_class),)
    # Losses reject rows that are not distributions, even with weight 0.
    labels = elements.put(soft, 1 / num_classes)
    if count == elements.given.size:
        return (labels,)
    return labels, elements.put(np.ones(count, "float32"), 0)


def own_labels(y: Any, elements: Elements) -> np.ndarray:
    """A copy of the labels; raises if `y` differs from them."""
    labels = elements.given
    if y is not None:
        given = labels_of_elements("y", y, elements.multi_label)
        is_like = given.shape == labels.shape
        differ = np.count_nonzero(given != labels) if is_like else 0
        if differ or not is_like:
            raise ValueError(
                "Invalid value for argument `y`. Expected the labels that were "
                f"scored, {_count(labels)} in the same order. "
                f"Received: {_count(given)}"
                + (f", {differ} different" if is_like else "")
            )
    return labels.copy()


def _count(labels: np.ndarray) -> str:
    if labels.ndim == 1:
        return f"{len(labels)} labels"
    return f"labels of shape {labels.shape}"


def check_samples(x: Any, count: int) -> None:
    """Raise unless samples of `x` can be selected by position."""
    for part in _parts(x, count):
        size = None
        if hasattr(part, "__len__"):
            size = part.shape[0] if _is_sparse(part) else len(part)
        if size != count or isinstance(part, keras.utils.PyDataset):
            raise ValueError(
                f"Invalid value for argument `x`. Expected {count} samples in "
                "an array, a table or a list, such as the paths of the files. "
                f"Received: {type(part).__name__}"
                + (f" of length {size}" if size is not None else "")
                + ". For a data set of batches use `suspects()`, the indices"
            )


def taken(x: Any, indices: np.ndarray, count: int) -> Any:
    """The samples at these indices, in the form of `x`."""
    if isinstance(x, dict):
        return {name: taken(of, indices, count) for name, of in x.items()}
    if hasattr(x, "iloc"):  # a table, whose index is not a position
        return x.iloc[indices]
    if _is_sparse(x):
        return x.tocsr()[indices]
    if isinstance(x, list | tuple):
        if _holds_inputs(x, count):
            make = getattr(x, "_make", type(x))  # or a named tuple
            return make([taken(part, indices, count) for part in x])
        chosen = [x[i] for i in indices.tolist()]
        # A list made from an array of paths holds NumPy strings.
        return type(x)(
            [str(of) if isinstance(of, np.str_) else of for of in chosen]
        )
    return as_array("x", x)[indices]


def _is_sparse(x: Any) -> bool:
    """Whether this is a sparse matrix of SciPy, which has no `len`."""
    return hasattr(x, "tocsr")


def _holds_inputs(x: list | tuple, count: int) -> bool:
    """Whether a list holds several inputs, rather than samples.

    Images in a list are samples, though each is an array.
    """
    if not x or any(len(getattr(part, "shape", ())) == 0 for part in x):
        return False
    return len(x) != count or all(len(part) == count for part in x)


def _parts(x: Any, count: int) -> list[Any]:
    if isinstance(x, dict):
        return [leaf for part in x.values() for leaf in _parts(part, count)]
    if isinstance(x, list | tuple) and _holds_inputs(x, count):
        return [leaf for part in x for leaf in _parts(part, count)]
    return [x]
