"""Evidence for and against labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from keras_noisy.quality.estimate import Estimate


class Evidence(Protocol):
    """Evidence for and against the labels, and its origin.

    Scores are flat arrays over the labels that have a score.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, the best one first."""

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of each label."""

    @property
    def probability(self) -> np.ndarray:
        """Confidence of the predicted class, in [0, 1]."""

    def of(self, name: str) -> np.ndarray:
        """A score of each label, higher where it is likelier wrong."""

    def order(self, name: str) -> np.ndarray:
        """All labels, the most likely wrong ones first."""

    def estimate(self, num_classes: int) -> Estimate:
        """How many labels are wrong."""

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Probabilities of the true class, for some rows at a time."""

    def source(self) -> str:
        """The origin of the scores, as text for the report page."""

    def warning(self, num_classes: int) -> str | None:
        """What to do if the evidence is no better than chance, else `None`."""

    def choices(
        self, found: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The likeliest classes of labels and their shares, if stored."""
