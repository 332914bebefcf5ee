"""How far the predictions of each epoch contradict the given labels."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._stochastic import is_distribution
from keras_noisy.callbacks.label_quality._mixture import mixture
from keras_noisy.quality import Estimate
from keras_noisy.quality.learned import learned_nothing

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
    parts: Iterable[Any], labels: np.ndarray, from_logits: bool
) -> tuple[Statistics, int]:
    """Compare the predictions of all samples with their given labels.

    The predictions come in parts, of which one at a time is in memory. The
    number of classes is returned too.
    """
    found, start, only_distributions = [], 0, True
    for part in parts:
        shape = _checked_shape(part, labels, start)
        for first in range(0, shape[0], ROWS):
            rows = part[first : first + ROWS]
            if not np.all(np.isfinite(rows)):
                raise ValueError(
                    "Predictions of the model are infinite or not a number: "
                    "training has diverged. Lower the learning rate, or clip "
                    "the gradient with `clipnorm`"
                )
            distribution = is_distribution(rows)
            only_distributions &= distribution
            if not (from_logits or distribution):
                raise ValueError(
                    "Expected predictions that are probabilities: no negative "
                    "entries and rows that sum to 1. If the model returns "
                    "logits, pass `from_logits=True` to LabelQuality; "
                    "otherwise end the model in a softmax"
                )
            own = labels[start : start + len(rows)]
            found.append(_of_rows(rows, own, from_logits))
            start += len(rows)
    if start != len(labels):
        raise _not_one_output(labels, f"{start} predictions")
    if from_logits and only_distributions:
        raise ValueError(
            "LabelQuality was built with `from_logits=True`, but every row of "
            "the predictions is a probability distribution. If the model ends "
            "in a softmax, pass `from_logits=False`"
        )
    columns = map(np.concatenate, zip(*found, strict=True))
    return Statistics(*columns), shape[1]


def _checked_shape(part: Any, labels: np.ndarray, start: int) -> Any:
    """The shape of some predictions; an error unless they fit the labels."""
    shape: Any = getattr(part, "shape", type(part).__name__)
    if len(shape) != 2 or start + shape[0] > len(labels) or shape[1] < 2:
        raise _not_one_output(labels, f"predictions of shape {shape}")
    if labels.max() >= shape[1]:
        raise ValueError(
            "Invalid value for argument `y`. Expected labels in [0, "
            f"{shape[1]}), as the model has {shape[1]} outputs. Received: a "
            f"label {labels.max()}"
        )
    return shape


def _not_one_output(labels: np.ndarray, what: str) -> ValueError:
    return ValueError(
        "LabelQuality needs a model with one output of shape (N, "
        f"num_classes), for N={len(labels)} samples and at least two classes. "
        f"Received {what}"
    )


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
    margin = given - log_p.max(axis=1)
    return Statistics(
        (-given).astype("float32"),
        margin.astype("float32"),
        predicted.astype("int32"),
        probability.astype("float32"),
    )


class Scores:
    """Scores of all samples that go on from epoch to epoch.

    Memory is that of these few numbers, 30 bytes a sample beside its label,
    however many epochs there are.
    """

    names = ("area_under_margin", "margin", "loss", "forgetting")

    def __init__(self, labels: np.ndarray):
        self.labels = labels
        self.epochs = 0
        self.margin_sum = np.zeros(len(labels))
        self.forgotten = np.zeros(len(labels), "int32")
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

    @property
    def predicted(self) -> np.ndarray:
        """The class predicted for each sample in the last epoch."""
        return self.last.predicted

    @property
    def probability(self) -> np.ndarray:
        """The probability of that class."""
        return self.last.probability

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
            return -self.last.margin.astype("float64")
        if name == "loss":
            return self.last.loss.astype("float64")
        if name == "forgetting":
            # A label that was never predicted is worse than any count.
            return np.where(self.learned, self.forgotten, float(self.epochs))
        raise invalid(
            "score", name, "one of " + ", ".join(map(repr, self.names))
        )

    def estimate(self, num_classes: int) -> Estimate:
        """From two normal distributions of the area under the margin."""
        wrong = self._wrong()
        matrix = np.zeros((num_classes, num_classes))
        np.add.at(matrix, (self.labels, self.labels), 1 - wrong)
        np.add.at(matrix, (self.predicted, self.labels), wrong)
        prior = matrix.sum(axis=1)
        given = matrix.sum(axis=0)
        empty = prior == 0
        matrix[empty, empty] = 1
        wrong_of = np.bincount(self.labels, wrong, num_classes)
        per_class = np.full(num_classes, np.nan)
        np.divide(wrong_of, given, out=per_class, where=given > 0)
        rate = float(wrong.mean())
        error = 1.96 * float(wrong.std() / np.sqrt(len(wrong)))
        return Estimate(
            rate,
            (max(rate - error, 0.0), min(rate + error, 1.0)),
            per_class,
            matrix / matrix.sum(axis=1, keepdims=True),
            prior / prior.sum(),
            round(rate * len(wrong)),
        )

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """The given and the predicted class share the probability."""
        wrong = self._wrong()
        for start in range(0, len(wrong), ROWS):
            rows = slice(start, start + ROWS)
            part = wrong[rows]
            shares = np.zeros((len(part), len(estimate.prior)))
            row = np.arange(len(part))
            shares[row, self.labels[rows]] = 1 - part
            shares[row, self.predicted[rows]] += part
            yield rows, shares

    def _wrong(self) -> np.ndarray:
        """Probability that each label is wrong; 0 where it is predicted."""
        score = self.of("area_under_margin")
        found = mixture(score).upper(score)
        return np.where(self.correct, 0, found)

    def state(self) -> dict[str, np.ndarray]:
        """All numbers, by name."""
        return {
            "epochs": np.array(self.epochs),
            "margin_sum": self.margin_sum,
            "forgotten": self.forgotten,
            "correct": self.correct,
            "learned": self.learned,
            **self.last._asdict(),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take the numbers that `state` returned."""
        self.epochs = int(state["epochs"])
        for name in ("margin_sum", "forgotten", "correct", "learned"):
            setattr(self, name, state[name])
        self.last = Statistics(*(state[name] for name in Statistics._fields))

    def source(self) -> str:
        """What the page says about where the scores come from."""
        return f"{self.epochs:,} epoch" + "s" * (self.epochs != 1)

    def warning(self, num_classes: int) -> str | None:
        """What to do if the model has learned nothing."""
        finding = learned_nothing(self.labels, self.predicted, num_classes)
        return finding and (
            "The model has learned nothing about these labels: "
            f"{finding}. The order of the suspects is then no better than "
            "chance, and right labels are among the first. Train for longer "
            "or with another learning rate, check that the inputs are scaled "
            "as the model expects them, or take a loss that starts at this "
            "number of classes, such as `MAEStar()`"
        )
