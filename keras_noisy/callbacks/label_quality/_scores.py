"""Scores of labels, updated in every epoch."""

from collections.abc import Iterator

import numpy as np

from keras_noisy._containers import slices
from keras_noisy._warn import warn
from keras_noisy.callbacks.label_quality._mixture import mixture
from keras_noisy.callbacks.label_quality._statistics import ROWS, Statistics
from keras_noisy.quality import Estimate
from keras_noisy.quality.estimate import worst_first
from keras_noisy.quality.learned import learned_nothing

#: An estimate still moves if the share of labels that are predicted changed by
#: more than this in an epoch, and by more than this many standard deviations.
MOVES, ABOVE = 0.03, 4.0


class Scores:
    """Scores of all labels, updated in every epoch.

    They take 30 bytes for each label, for any number of epochs.
    """

    names = ("area_under_margin", "margin", "loss", "forgetting")

    def __init__(self, labels: np.ndarray):
        self.labels = labels
        self.epochs = 0
        #: Share of labels that the epoch before the last one predicted.
        self.agreed = np.nan
        self.margin_sum = np.zeros(len(labels))
        self.forgotten = np.zeros(len(labels), "int32")
        self.correct = self.learned = np.zeros(len(labels), bool)
        self._last: Statistics | None = None

    def update(self, last: Statistics) -> None:
        """Count one more epoch."""
        correct = last.predicted == self.labels
        self.agreed = self.correct.mean() if self.epochs else np.nan
        self.forgotten += self.correct & ~correct
        self.learned = self.learned | correct
        self.correct = correct
        self.margin_sum += last.margin
        self._last = last
        self.epochs += 1

    @property
    def last(self) -> Statistics:
        """The numbers of the last epoch."""
        if self._last is None:
            raise RuntimeError("No epoch counts yet: call `update` first")
        return self._last

    @property
    def predicted(self) -> np.ndarray:
        """The class predicted for each sample in the last epoch."""
        return self.last.predicted

    @property
    def probability(self) -> np.ndarray:
        """The probability of that class."""
        return self.last.probability

    def order(self, name: str) -> np.ndarray:
        """All samples, the most likely wrong labels first."""
        keys = (name, "area_under_margin", "loss")
        return worst_first(*(self.of(key) for key in keys))

    def of(self, name: str) -> np.ndarray:
        """A score of each sample, higher if its label is more likely wrong."""
        last = self.last
        if name == "area_under_margin":
            return -self.margin_sum / self.epochs
        if name == "margin":
            return -last.margin.astype("float64")
        if name == "loss":
            return last.loss.astype("float64")
        # A label that was never predicted scores above any count.
        return np.where(self.learned, self.forgotten, float(self.epochs))

    def estimate(self, num_classes: int) -> Estimate:
        """Estimate from a mixture of two normals for area under the margin."""
        self._warn_of_the_estimate()
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

    def _warn_of_the_estimate(self) -> None:
        """Warn if it is not reliable, or not yet."""
        if not mixture(self.of("area_under_margin")).is_split:
            warn(
                "The areas under the margin are not of two kinds, so the "
                "estimate is the share of labels that are not predicted. It "
                "is not reliable, though the order of the suspects may be: "
                "stop before wrong labels are memorized, with fewer epochs or "
                "a robust loss, or use `FeatureQuality` or `PredictionQuality`"
            )
        elif self._moves():
            warn(
                f"The model predicted {100 * self.agreed:.3g} % of the labels "
                f"one epoch ago and {100 * self.correct.mean():.3g} % now, so "
                "the estimate still changes. It is too high before the model "
                "has learned, and too low once it memorizes: train for longer "
                "with a robust loss, or use `FeatureQuality` or "
                "`PredictionQuality`"
            )

    def _moves(self) -> bool:
        change = abs(self.correct.mean() - self.agreed)
        noise = np.sqrt(self.agreed * (1 - self.agreed) / len(self.labels))
        return bool(change > max(MOVES, ABOVE * noise))

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Split the probability between the given and the predicted class."""
        wrong = self._wrong()
        for rows in slices(len(wrong), ROWS):
            part = wrong[rows]
            shares = np.zeros((len(part), len(estimate.prior)))
            row = np.arange(len(part))
            shares[row, self.labels[rows]] = 1 - part
            shares[row, self.predicted[rows]] += part
            yield rows, shares

    def _wrong(self) -> np.ndarray:
        """Probability that each label is wrong; 0 if it is predicted.

        If scores are of one kind, it is 1 for every label not predicted.
        """
        score = self.of("area_under_margin")
        found = mixture(score)
        wrong = found.upper(score) if found.is_split else 1
        return np.where(self.correct, 0.0, wrong)

    def choices(
        self, found: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The likeliest classes and their probabilities, if they are kept."""
        if self.last.classes.shape[1] == 0:
            return None
        return self.last.classes[found], self.last.shares[found]

    def state(self) -> dict[str, np.ndarray]:
        """All numbers, by name."""
        return {
            "epochs": np.array(self.epochs),
            "margin_sum": self.margin_sum,
            "forgotten": self.forgotten,
            "agreed": np.array(self.agreed),
            "correct": self.correct,
            "learned": self.learned,
            **self.last._asdict(),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore the numbers that `state` returned."""
        self.epochs = int(state["epochs"])
        self.agreed = float(state.get("agreed", np.nan))
        for name in ("margin_sum", "forgotten", "correct", "learned"):
            setattr(self, name, state[name])
        none = np.empty((len(self.labels), 0), "float16")
        self._last = Statistics(
            *(state.get(name, none) for name in Statistics._fields)
        )

    def source(self) -> str:
        """The source of the scores, for the page of `report`."""
        return f"{self.epochs:,} epoch" + "s" * (self.epochs != 1)

    def warning(self, num_classes: int) -> str | None:
        """Advice if the model has learned nothing."""
        finding = learned_nothing(self.labels, self.predicted, num_classes)
        return finding and (
            "The model has learned nothing about these labels: "
            f"{finding}. The order of the suspects is then no better than "
            "chance, and right labels are among the first. Train for longer "
            "or with another learning rate, check that the inputs are scaled "
            "as the model expects them, or take a loss that starts at this "
            "number of classes, such as `MAEStar()`"
        )
