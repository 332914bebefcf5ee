"""How far the predictions of each epoch contradict the given labels."""

from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._stochastic import is_distribution

#: Samples that are worked on at once, as that is done in float64.
ROWS = 4096

#: Smaller probabilities count as this one, so that every score is finite.
SMALLEST = np.finfo("float32").tiny


class Statistics(NamedTuple):
    """Numbers of each sample, each of shape (N,)."""

    loss: np.ndarray
    margin: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray


def statistics(
    predictions: Any, labels: np.ndarray, from_logits: bool
) -> Statistics:
    """Compare the predictions of all samples with their given labels."""
    shape: Any = getattr(predictions, "shape", type(predictions).__name__)
    if len(shape) != 2 or shape[0] != len(labels) or shape[1] < 2:
        raise ValueError(
            "LabelQuality needs a model with one output of shape (N, "
            f"num_classes), for N={len(labels)} samples and at least two "
            f"classes. Received predictions of shape {shape}"
        )
    if labels.max() >= shape[1]:
        raise ValueError(
            "Invalid value for argument `y`. Expected labels in [0, "
            f"{shape[1]}), as the model has {shape[1]} outputs. Received: a "
            f"label {labels.max()}"
        )
    parts = []
    only_distributions = True
    for start in range(0, len(labels), ROWS):
        rows = predictions[start : start + ROWS]
        if not np.all(np.isfinite(rows)):
            raise ValueError(
                "Predictions of the model are infinite or not a number: "
                "training has diverged. Lower the learning rate, or clip the "
                "gradient with `clipnorm`"
            )
        distribution = is_distribution(rows)
        only_distributions &= distribution
        if not (from_logits or distribution):
            raise ValueError(
                "Expected predictions that are probabilities: no negative "
                "entries and rows that sum to 1. If the model returns logits, "
                "pass `from_logits=True` to LabelQuality; otherwise end the "
                "model in a softmax"
            )
        parts.append(_of_rows(rows, labels[start : start + ROWS], from_logits))
    if from_logits and only_distributions:
        raise ValueError(
            "LabelQuality was built with `from_logits=True`, but every row of "
            "the predictions is a probability distribution. If the model ends "
            "in a softmax, pass `from_logits=False`"
        )
    return Statistics(*map(np.concatenate, zip(*parts, strict=True)))


def _of_rows(
    rows: np.ndarray, labels: np.ndarray, from_logits: bool
) -> Statistics:
    log_p = rows.astype("float64")
    if from_logits:
        log_p -= log_p.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    else:
        log_p = np.log(np.maximum(log_p, SMALLEST))
    index = np.arange(len(rows))
    predicted = log_p.argmax(axis=1)
    probability = np.exp(log_p[index, predicted])
    given = log_p[index, labels]
    log_p[index, labels] = -np.inf
    return Statistics(-given, given - log_p.max(axis=1), predicted, probability)


class Scores:
    """Scores of all samples that go on from epoch to epoch."""

    names = ("area_under_margin", "margin", "loss", "forgetting")

    def __init__(self, labels: np.ndarray):
        self.labels = labels
        self.epochs = 0
        self.margin_sum = np.zeros(len(labels))
        self.forgotten = np.zeros(len(labels))
        self.correct = self.learned = np.zeros(len(labels), bool)
        self.last: Statistics

    def update(self, last: Statistics) -> None:
        """Count one more epoch."""
        correct = last.predicted == self.labels
        self.forgotten += self.correct & ~correct
        self.learned = self.learned | correct
        self.correct = correct
        self.margin_sum += last.margin
        self.last = last
        self.epochs += 1

    def order(self, name: str) -> np.ndarray:
        """All samples, those whose labels are most likely wrong first."""
        keys = [self.of(key) for key in ("loss", "area_under_margin", name)]
        return np.lexsort([-key for key in keys])

    def of(self, name: str) -> np.ndarray:
        """A score of each sample, higher where the label is likelier wrong."""
        if self.epochs == 0:
            raise RuntimeError("No epoch counts yet: call `update` first")
        if name == "area_under_margin":
            return -self.margin_sum / self.epochs
        if name == "margin":
            return -self.last.margin
        if name == "loss":
            return self.last.loss.copy()
        if name == "forgetting":
            # A label that was never predicted is worse than any count.
            return np.where(self.learned, self.forgotten, self.epochs)
        raise invalid(
            "score", name, "one of " + ", ".join(map(repr, self.names))
        )
