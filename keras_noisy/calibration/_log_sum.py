"""Distribution of the log-sum of the other classes' exponentiated logits."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Values of a distribution and their weights.
Nodes = tuple[np.ndarray, np.ndarray]

SIZE = 512
REFINEMENT = 12
#: Number of logits to draw if classes differ, and least number of labels.
DRAWN_LOGITS, MIN_ROWS = 2**20, 256


@functools.lru_cache(maxsize=64)
def log_sum(count: int, logit_std: float) -> Nodes:
    """Nodes and weights of `log sum_{j <= count} e^(std x_j)`, x normal.

    The sum is built by doubling. After each addition, the distribution is put
    on a new uniform grid: each mass is split between its two neighbors, and
    the grid is scaled to keep the mean and the variance.
    """
    if logit_std < 1e-9:  # A grid of such values would be rounded to one.
        return np.array([np.log(count)]), np.ones(1)
    x = np.linspace(-7.0, 7.0, SIZE)
    weights = np.exp(-(x**2) / 2)
    power = (x * logit_std, weights / weights.sum())
    total: Any = None
    while count:
        if count % 2:
            total = power if total is None else _added(total, power)
        count //= 2
        if count:
            power = _added(power, power)
    return _refined(*total)


def _added(left: Nodes, right: Nodes) -> Nodes:
    values = np.logaddexp.outer(left[0], right[0]).ravel()
    masses = np.multiply.outer(left[1], right[1]).ravel()
    kept = masses > 1e-13
    values, masses = values[kept], masses[kept]
    grid = np.linspace(values.min(), values.max(), SIZE)
    position = (values - grid[0]) / (grid[1] - grid[0])
    cell = np.minimum(position.astype(int), SIZE - 2)
    share = position - cell
    weights: np.ndarray = np.bincount(cell, masses * (1 - share), SIZE)
    weights += np.bincount(cell + 1, masses * share, SIZE)
    weights /= weights.sum()
    return _rescaled(grid, weights, _moments(values, masses)), weights


def _refined(x: np.ndarray, weights: np.ndarray) -> Nodes:
    fine = np.linspace(x[0], x[-1], REFINEMENT * (SIZE - 1) + 1)
    masses = np.interp(fine, x, weights)
    masses /= masses.sum()
    return _rescaled(fine, masses, _moments(x, weights)), masses


def _moments(x: np.ndarray, masses: np.ndarray) -> tuple[float, float]:
    mean = np.average(x, weights=masses)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=masses))


def _rescaled(
    x: np.ndarray, masses: np.ndarray, moments: tuple[float, float]
) -> np.ndarray:
    mean, std = _moments(x, masses)
    return moments[0] + (x - mean) * (moments[1] / std)


def labels_of(shares: Sequence[float], rows: int) -> np.ndarray:
    """Labels in these shares, not random, int32 of shape (rows,)."""
    quantiles = (np.arange(rows) + 0.5) / rows
    labels = np.searchsorted(np.cumsum(shares), quantiles)
    return np.minimum(labels, len(shares) - 1).astype("int32")


@functools.lru_cache(maxsize=8)
def adjusted_log_sum(
    shares: tuple[float, ...], shift: tuple[float, ...], logit_std: float
) -> Nodes:
    """Draws of the others' log-sum less the label's shift, and weights.

    Labels have these shares, and every logit its shift. The draws use a fixed
    seed, so that errors change smoothly.
    """
    rows = max(MIN_ROWS, DRAWN_LOGITS // len(shares))
    labels, shifts = labels_of(shares, rows), np.array(shift)
    normal = np.random.default_rng(0).standard_normal(
        (rows, len(shares)), dtype="float32"
    )
    logits = logit_std * normal + shifts.astype("float32")
    logits[np.arange(rows), labels] = -np.inf
    largest = logits.max(axis=1)
    sums = np.exp(logits - largest[:, None]).sum(axis=1, dtype="float64")
    others = np.log(sums) + largest - shifts[labels]
    return others, np.full(rows, 1 / rows)
