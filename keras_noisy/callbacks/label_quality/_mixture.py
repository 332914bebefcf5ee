"""A mixture of two normal distributions, fitted to scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: Groups of equal size that stand for all samples, and the most steps of a fit.
GROUPS, STEPS = 1024, 300


class Mixture(NamedTuple):
    """Shares, means and standard deviations; the lower mean comes first."""

    shares: np.ndarray
    means: np.ndarray
    deviations: np.ndarray

    @property
    def is_split(self) -> bool:
        """Whether the two are apart, not one inside the other."""
        apart = self.means[1] - self.means[0]
        return bool(apart > 0.5 * self.deviations.max())

    def upper(self, values: np.ndarray) -> np.ndarray:
        """Probability that a value is from the upper distribution.

        It never falls as values rise. The wider distribution is more likely on
        both sides of the other one, but a low value must not count as upper.
        """
        order = np.argsort(values)
        share = _shares_of(values[order], *self)[1]
        below = max(1, np.count_nonzero(values <= self.means[1]))
        least = int(share[:below].argmin())
        share[:least] = share[least]
        found = np.empty(len(values))
        found[order] = np.maximum.accumulate(share)
        return found


def mixture(values: np.ndarray) -> Mixture:
    """The maximum-likelihood mixture for these values."""
    groups = np.array_split(np.sort(values), min(GROUPS, len(values)))
    points = np.array([group.mean() for group in groups])
    weights = np.array([len(group) for group in groups]) / len(values)
    spread = np.sqrt(weights @ (points - weights @ points) ** 2)
    if spread == 0:
        return Mixture(np.array([1.0, 0.0]), points[[0, 0]], np.ones(2))
    # Keep a distribution from shrinking to a single point.
    least = 1e-2 * spread
    shares = np.full(2, 0.5)
    means = np.quantile(points, [0.25, 0.75])
    deviations = np.full(2, spread)
    for _ in range(STEPS):
        each = _shares_of(points, shares, means, deviations) * weights
        total = np.maximum(each.sum(axis=1), 1e-12)
        before = means
        shares = total / total.sum()
        means = each @ points / total
        square = np.sum(each * (points - means[:, None]) ** 2, axis=1) / total
        deviations = np.maximum(np.sqrt(square), least)
        if np.abs(means - before).max() < 1e-4 * spread:
            break
    order = np.argsort(means)
    return Mixture(shares[order], means[order], deviations[order])


def _shares_of(
    values: np.ndarray,
    shares: np.ndarray,
    means: np.ndarray,
    deviations: np.ndarray,
) -> np.ndarray:
    """Probability of each of the two, of shape (2, N)."""
    z = (values - means[:, None]) / deviations[:, None]
    log = np.log(np.maximum(shares, 1e-300) / deviations)[:, None] - z**2 / 2
    log -= log.max(axis=0)
    each = np.exp(log)
    return each / each.sum(axis=0)
