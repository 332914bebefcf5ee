"""What speaks for and against labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from keras_noisy.quality.estimate import Estimate


class Evidence(Protocol):
    """What speaks for and against the labels, and where it comes from.

    Scores are flat arrays, of the labels that have one.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, the best one first."""

    @property
    def predicted(self) -> np.ndarray:
        """The class that each is taken for."""

    @property
    def probability(self) -> np.ndarray:
        """How surely, in [0, 1]."""

    def of(self, name: str) -> np.ndarray:
        """A score of each, higher where its label is likelier wrong."""

    def order(self, name: str) -> np.ndarray:
        """All of them, those that are most likely wrong first."""

    def estimate(self, num_classes: int) -> Estimate:
        """How many labels are wrong."""

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Probabilities of the true class, for some rows at a time."""

    def source(self) -> str:
        """What the page says about where the scores come from."""

    def warning(self, num_classes: int) -> str | None:
        """What to do if the evidence has nothing to say, else `None`."""

    def choices(
        self, found: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The likeliest classes of these and how likely, if they are kept."""
