"""Distribution of the log-sum of the other classes' exponentiated logits."""

import functools
from typing import Any

import numpy as np

SIZE = 512
REFINEMENT = 12


@functools.lru_cache(maxsize=64)
def log_sum(count: int, logit_std: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of `log sum_{j <= count} e^(std x_j)`, x normal.

    The sum is put together by doubling. After each addition the distribution
    is laid on a uniform grid anew, each mass shared by its two neighbors
    and the grid scaled such that mean and variance stay.
    """
    if logit_std == 0:
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


def _added(left: tuple, right: tuple) -> tuple[np.ndarray, np.ndarray]:
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


def _refined(x: np.ndarray, weights: np.ndarray) -> tuple:
    fine = np.linspace(x[0], x[-1], REFINEMENT * (SIZE - 1) + 1)
    masses = np.interp(fine, x, weights)
    masses /= masses.sum()
    return _rescaled(fine, masses, _moments(x, weights)), masses


def _moments(x: np.ndarray, masses: np.ndarray) -> tuple[float, float]:
    mean = np.average(x, weights=masses)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=masses))


def _rescaled(x: np.ndarray, masses: np.ndarray, moments: tuple) -> np.ndarray:
    mean, std = _moments(x, masses)
    return moments[0] + (x - mean) * (moments[1] / std)
