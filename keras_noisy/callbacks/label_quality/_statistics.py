"""Compares the predictions of an epoch with the given labels."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._containers import first_not_finite, without_tensor
from keras_noisy._elements import Elements
from keras_noisy._label_arrays import other_numbers
from keras_noisy._stochastic import is_distribution
from keras_noisy._warn import warn

#: Number of labels to process at once, in float64.
ROWS = 4096

#: Smaller probabilities are raised to this, so that every score is finite.
SMALLEST = np.finfo("float32").tiny


class Part(NamedTuple):
    """Predictions of some samples, and which samples these are."""

    outputs: Any
    samples: np.ndarray


class Statistics(NamedTuple):
    """Numbers of each label, each of shape (N,)."""

    loss: np.ndarray
    margin: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    #: The likeliest classes, if they are kept, of shape (N, top).
    classes: np.ndarray
    #: Their probabilities, float16.
    shares: np.ndarray


def statistics(
    parts: Iterable[Any], elements: Elements, from_logits: bool, top: int
) -> tuple[Statistics, int]:
    """Compare the predictions of all samples with their given labels.

    The predictions come in parts, and one part at a time is in memory. Also
    returns the number of columns, 1 for a single output.
    """
    found, order, start, columns = [], [], 0, 0
    are_probabilities = True
    for part in parts:
        samples = None
        if isinstance(part, Part):
            part, samples = part
        part = without_tensor(part)
        columns = _checked_columns(part, elements, start)
        if samples is None:
            samples = np.arange(start, start + len(part))
        for rows, labels, places in elements.rows(part, samples, ROWS):
            if not np.all(np.isfinite(rows)):
                raise _not_finite(rows, places // elements.each)
            if columns == 1:
                fits = bool(np.all((rows >= 0) & (rows <= 1)))
            else:
                fits = is_distribution(rows)
            are_probabilities &= fits
            if not (from_logits or fits):
                raise _no_probabilities(columns)
            found.append(_of_rows(rows, labels, from_logits, top))
            order.append(places)
        start += len(part)
    if start != len(elements.given):
        raise _misfit(elements, f"{start} predictions")
    if from_logits and are_probabilities:
        _refuse_probabilities(columns)
    numbers = list(map(np.concatenate, zip(*found, strict=True)))
    places = np.concatenate(order)
    if np.any(places[1:] < places[:-1]):
        ranks = np.argsort(places)
        numbers = [of[ranks] for of in numbers]
    return Statistics(*numbers), columns


def _not_finite(rows: np.ndarray, samples: np.ndarray) -> ValueError:
    cause = "training has diverged"
    if np.any(np.isfinite(rows)):  # not the weights of the model
        first = samples[first_not_finite(rows)]
        cause = f"check sample {first} of `x` for NaN. If it has none, {cause}"
    return ValueError(
        f"Predictions of the model are infinite or not a number: {cause}. "
        "Lower the learning rate, or clip the gradient with `clipnorm`"
    )


def _checked_columns(part: Any, elements: Elements, start: int) -> int:
    """Number of columns, or an error if predictions do not fit the labels."""
    shape: Any = getattr(part, "shape", type(part).__name__)
    columns = None if isinstance(shape, str) else elements.columns(shape)
    if not columns or start + shape[0] > len(elements.given):
        raise _misfit(elements, f"predictions of shape {shape}")
    if elements.labels.max() >= max(columns, 2):
        raise ValueError(
            "Invalid value for argument `y`. Expected labels in [0, "
            f"{max(columns, 2)}), the classes that the model predicts. "
            f"Received: a label {elements.labels.max()}"
            + other_numbers(elements.labels, columns)
        )
    return columns


def _misfit(elements: Elements, what: str) -> ValueError:
    advice = ""
    if elements.given.ndim == 2 and not elements.multi_label:
        advice = (
            ". If each column of `y` is a label of its own, pass "
            "`multi_label=True`"
        )
    return ValueError(
        "LabelQuality needs a model with one output of shape "
        f"{elements.expected()}. Received {what}{advice}"
    )


def _no_probabilities(columns: int) -> ValueError:
    rows, end = "no negative entries and rows that sum to 1", "softmax"
    if columns == 1:
        rows, end = "numbers in [0, 1]", "sigmoid"
    return ValueError(
        f"Expected predictions that are probabilities: {rows}. If the model "
        "returns logits, pass `from_logits=True` to LabelQuality; otherwise "
        f"end the model in a {end}"
    )


def _refuse_probabilities(columns: int) -> None:
    if columns == 1:
        # A few logits can all be in [0, 1] by chance.
        warn(
            "LabelQuality was built with `from_logits=True`, but every "
            "prediction is in [0, 1]. If the model ends in a sigmoid, pass "
            "`from_logits=False`"
        )
        return
    raise ValueError(
        "LabelQuality was built with `from_logits=True`, but every row of "
        "the predictions is a probability distribution. If the model ends "
        "in a softmax, pass `from_logits=False`"
    )


def _of_rows(
    rows: np.ndarray, labels: np.ndarray, from_logits: bool, top: int
) -> Statistics:
    log_p = rows.astype("float64")
    if log_p.shape[1] == 1:  # a logit or a probability of class 1
        log_p = np.hstack([0 * log_p if from_logits else 1 - log_p, log_p])
    if from_logits:
        log_p -= log_p.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    else:
        log_p = np.log(np.maximum(log_p, SMALLEST))
    index = np.arange(len(rows))
    predicted = log_p.argmax(axis=1)
    probability = np.exp(log_p[index, predicted])
    classes, shares = _likeliest(log_p, top)
    given = log_p[index, labels]
    log_p[index, labels] = -np.inf
    margin = given - log_p.max(axis=1)
    return Statistics(
        (-given).astype("float32"),
        margin.astype("float32"),
        predicted.astype("int32"),
        probability.astype("float32"),
        classes,
        shares,
    )


def _likeliest(log_p: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The `top` likeliest classes in order, and their probabilities."""
    num_classes = log_p.shape[1]
    dtype = np.min_scalar_type(num_classes - 1)
    top = min(top, num_classes)
    if top == 0:
        none = np.empty((len(log_p), 0))
        return none.astype(dtype), none.astype("float16")
    classes = np.argpartition(-log_p, top - 1, axis=1)[:, :top]
    shares = np.take_along_axis(log_p, classes, axis=1)
    order = np.argsort(-shares, axis=1, kind="stable")
    shares = np.exp(np.take_along_axis(shares, order, axis=1))
    classes = np.take_along_axis(classes, order, axis=1)
    return classes.astype(dtype), shares.astype("float16")
