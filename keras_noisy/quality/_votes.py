"""Evidence about the label of each sample from its neighbors' labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_noisy._containers import slices
from keras_noisy.quality._consensus import consensus
from keras_noisy.quality.estimate import (
    Estimate,
    estimate_of,
    largest,
    posterior,
    worst_first,
)
from keras_noisy.quality.learned import learned_nothing

#: Number of votes in memory at once.
CELLS = 2**22
#: Odd sizes of the adaptive neighborhoods, as in WANN.
SMALLEST, LARGEST = 11, 51
#: Share of the samples, and samples per class, whose neighborhoods the
#: estimate uses.
DENSEST, PER_CLASS = 0.1, 50


class Votes:
    """Scores from the labels of the neighbors."""

    names = ("weights", "ranks", "votes", "posterior")

    def __init__(
        self,
        labels: np.ndarray,
        num_classes: int,
        indices: np.ndarray,
        cosines: np.ndarray,
        k: int,
    ):
        self.labels = labels
        self.num_classes = num_classes
        self.indices = indices
        #: Only the first `k` and the first `LARGEST` neighbors vote.
        self.cosines = cosines[:, :LARGEST]
        self.k = k
        self._estimate: Estimate | None = None
        self.reliability = self._reliability()
        count = len(labels)
        self.predicted = np.empty(count, "int64")
        self.probability = np.empty(count, "float32")
        self._unaided = np.empty(count, "int64")
        self._scores = {name: np.empty(count) for name in self.names[:3]}
        for rows, few, all_of_them in self._votes():
            row, given = np.arange(len(few)), labels[rows]
            best = all_of_them.argmax(axis=1)
            self._unaided[rows] = few.argmax(axis=1)
            self.predicted[rows] = best
            self.probability[rows] = all_of_them[row, best]
            self._scores["weights"][rows] = _angle(all_of_them, row, given)
            self._scores["ranks"][rows] = _angle(few, row, given)
            own = few[row, given].copy()
            few[row, given] = 0
            self._scores["votes"][rows] = few.max(axis=1) - own

    def of(self, name: str) -> np.ndarray:
        """A score of each sample, higher where the label is likelier wrong."""
        if name not in self._scores:
            found = self._scores[name] = np.empty(len(self.labels))
            estimate = self.estimate(self.num_classes)
            for rows, shares in self.posterior(estimate):
                own = self.labels[rows]
                found[rows] = 1 - shares[np.arange(len(own)), own]
        return self._scores[name].copy()

    def order(self, name: str) -> np.ndarray:
        """All samples, the most likely wrong labels first."""
        # Labels that no neighbor has: it counts how sure the other class is.
        return worst_first(self.of(name), self.of("weights"), self.probability)

    def estimate(self, num_classes: int) -> Estimate:
        """Estimate from samples whose two nearest neighbors stand out most.

        Only the features select these samples, so wrong labels are as frequent
        among them as elsewhere, unless the noise depends on the sample.
        """
        if self._estimate is not None:
            return self._estimate
        count = len(self.labels)
        standing_out = self.cosines[:, 1] - self.cosines[:, -1]
        most = max(int(DENSEST * count), PER_CLASS * num_classes)
        chosen = largest(standing_out, most)
        pairs = self.labels[self.indices[chosen, :2]]
        triples = np.column_stack([self.labels[chosen], pairs])
        matrix, error = consensus(triples, num_classes)
        self._estimate = estimate_of(matrix, self.labels, error)
        return self._estimate

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Probability of each true class, given label and neighbors."""
        parts = ((rows, shares) for rows, _, shares in self._votes())
        return posterior(estimate, self.labels, parts)

    def source(self) -> str:
        """The origin of the scores, as text for the report page."""
        return f"{self.cosines.shape[1]} neighbors of each"

    def warning(self, num_classes: int) -> str | None:
        """What to do if the features say nothing about the labels."""
        # Reliability depends on the sample's own label, so a weighted vote
        # knows that label. A vote with equal weights does not.
        finding = learned_nothing(self.labels, self._unaided, num_classes)
        return finding and (
            "The features say nothing about these labels. A vote of the "
            f"neighbors shows this: {finding}. The order of the suspects is "
            "then no better than chance. Check that features and labels are in "
            "the same order, standardize the features, or use another network"
        )

    def choices(self, found: np.ndarray) -> None:
        """None: the shares of the votes are not stored."""

    def _parts(self) -> Iterator[slice]:
        size = max(1, CELLS // self.num_classes)
        return slices(len(self.labels), size)

    def _reliability(self) -> np.ndarray:
        """One over the size of the smallest neighborhood that agrees.

        A neighborhood agrees if its majority has the label of the sample.
        """
        most = self.cosines.shape[1]
        smallest = SMALLEST if most >= SMALLEST else 1
        sizes = np.full(len(self.labels), most)
        for rows in self._parts():
            given, near = self.labels[rows], self.labels[self.indices[rows]]
            row = np.arange(len(given))
            counts = np.zeros((len(given), self.num_classes), "int16")
            top = np.zeros(len(given), "int16")
            found = np.zeros(len(given), bool)
            for size in range(1, most + 1):
                label = near[:, size - 1]
                counts[row, label] += 1
                np.maximum(top, counts[row, label], out=top)
                if size % 2 and size >= smallest:
                    agrees = (counts[row, given] == top) & ~found
                    sizes[rows][agrees] = size
                    found |= agrees
        return 1 / sizes

    def _votes(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Shares of the classes among `k` and among `LARGEST` neighbors.

        The latter are weighted by reliability and by nearness, which falls
        from 1 for the nearest neighbor to almost 0 for the farthest.
        """
        for rows in self._parts():
            near = self.indices[rows]
            labels, cosines = self.labels[near], self.cosines[rows]
            span = cosines[:, :1] - cosines[:, -1:]
            nearness = cosines - cosines[:, -1:] + 0.02 * span + 1e-6
            most = cosines.shape[1]
            weights = self.reliability[near[:, :most]] * nearness
            yield (
                rows,
                self._shares(labels[:, : self.k]),
                self._shares(labels[:, :most], weights),
            )

    def _shares(
        self, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        count = len(labels)
        cells = np.arange(count)[:, None] * self.num_classes + labels
        found = np.bincount(
            cells.ravel(),
            None if weights is None else weights.ravel(),
            count * self.num_classes,
        )
        found = found.reshape(count, self.num_classes)
        return found / found.sum(axis=1, keepdims=True)


def _angle(
    shares: np.ndarray, row: np.ndarray, given: np.ndarray
) -> np.ndarray:
    """1 minus the cosine of the votes and the given label."""
    length = np.sqrt(np.einsum("ij,ij->i", shares, shares))
    return 1 - shares[row, given] / length
