"""Evidence about the label of each sample from predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_noisy._containers import slices
from keras_noisy.quality._consensus import class_rows
from keras_noisy.quality.estimate import (
    Estimate,
    estimate_of,
    largest,
    posterior,
    worst_first,
)
from keras_noisy.quality.learned import learned_nothing

#: Number of predictions to process at once.
ROWS = 4096
#: Share of the samples, and samples per class, that count as the surest.
SUREST, PER_CLASS = 0.05, 25


class Predictions:
    """Scores from predictions of models that have not seen the samples."""

    names = ("confidence", "margin")

    def __init__(self, probabilities: np.ndarray, labels: np.ndarray):
        self.probabilities = probabilities
        self.labels = labels
        row = np.arange(len(labels))
        self.predicted = probabilities.argmax(axis=1)
        self.probability = probabilities[row, self.predicted]
        given = probabilities[row, labels].astype("float64")
        other = np.empty(len(labels))
        for rows in slices(len(labels), ROWS):
            part = probabilities[rows].copy()
            part[np.arange(len(part)), labels[rows]] = 0
            other[rows] = part.max(axis=1)
        self._scores = {"confidence": 1 - given, "margin": other - given}

    def of(self, name: str) -> np.ndarray:
        """A score of each sample, higher where the label is likelier wrong."""
        return self._scores[name].copy()

    def order(self, name: str) -> np.ndarray:
        """All samples, the most likely wrong labels first."""
        # Next to 1, both scores round what the probability tells apart.
        of_given = self.probabilities[np.arange(len(self.labels)), self.labels]
        return worst_first(self.of(name), self.of("margin"), -of_given)

    def estimate(self, num_classes: int) -> Estimate:
        """Estimate from the samples with the surest predictions.

        The confidence of a prediction does not depend on the label of the
        sample, which the model has not seen.
        """
        count = len(self.labels)
        most = min(count, max(int(SUREST * count), PER_CLASS * num_classes))
        chosen = largest(self.probability, most)
        joint = np.zeros((num_classes, num_classes))
        np.add.at(joint, (self.labels[chosen], self.predicted[chosen]), 1)
        # Add two of each, so that a share of 0 or 1 also has an interval.
        right = (np.trace(joint) + 2) / (most + 4)
        _, matrix = class_rows(joint)
        error = np.sqrt(right * (1 - right) / most)
        return estimate_of(matrix, self.labels, float(error))

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Probability of each true class, given label and prediction."""
        every = slices(len(self.labels), ROWS)
        parts = ((rows, self.probabilities[rows]) for rows in every)
        return posterior(estimate, self.labels, parts)

    def source(self) -> str:
        """The origin of the scores, as text for the report page."""
        return "predictions of models that have not seen the samples"

    def warning(self, num_classes: int) -> str | None:
        """What to do if the predictions say nothing about the labels."""
        finding = learned_nothing(self.labels, self.predicted, num_classes)
        return finding and (
            "The predictions say nothing about these labels, as if the model "
            f"had learned nothing: {finding}. The order of the suspects is "
            "then no better than chance. Check that rows of `probabilities` "
            "and labels are in the same order, or train the models longer"
        )

    def choices(self, found: np.ndarray) -> None:
        """None: the corrected label is the predicted one."""
