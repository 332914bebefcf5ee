"""Moments of the probability of the true class after a scale of its margin."""

from __future__ import annotations

import functools
import math

import numpy as np

from keras_noisy.calibration._moments import STEP, laplace_transform

#: Above this frequency the gamma functions below are under 1e-16.
HIGHEST = 14.0
# Lanczos' approximation, g = 7: relative errors near 1e-15.
LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


def scaled_moment(
    power: float,
    num_classes: int,
    z: np.ndarray,
    logit_std: float,
    scale: float,
) -> np.ndarray:
    """`E[p ** power * (1 - p) | z]`, `p = sigmoid(scale * margin)`.

    The margin is `z - log S`, S as in `moment`. The cost does not depend on
    the number of classes.
    """
    z = np.asarray(z, "float64")
    if power > 0:
        return _expected(power, 1.0, 0.0, num_classes, z, logit_std, scale)
    # `1 - p` falls to 0 on only one side: use p on the other.
    v, masses = _log_ratio(num_classes, logit_std)
    right = z > -(v @ masses)
    found = np.empty_like(z)
    for side, powers, line in ((right, (0, 1), -0.5), (~right, (1, 0), 0.5)):
        if side.any():
            found[side] = _expected(
                *powers, line, num_classes, z[side], logit_std, scale
            )
    return np.where(right, found, 1 - found)


def _expected(
    a: float,
    b: float,
    line: float,
    num_classes: int,
    z: np.ndarray,
    logit_std: float,
    scale: float,
) -> np.ndarray:
    """`E[p^a (1 - p)^b]` by its Mellin transform along a vertical line.

    If E is exponentially distributed, `T = E / S` has `P(T > t) =
    phi(t)^(K - 1)`. The moments of S are therefore the moments of T over those
    of E, which are gamma functions, as is the transform of `p^a (1 - p)^b`.
    """
    v, masses = _log_ratio(num_classes, logit_std)
    reach = 40 / min(a - line, b + line)
    reach += scale * (np.abs(z).max() + np.abs(v).max())
    step = math.pi / reach
    s = line + 1j * np.arange(0.0, HIGHEST, step)
    log_weight = _log_gamma(a - s) + _log_gamma(b + s)
    log_weight -= _log_gamma(1 + scale * s) + math.lgamma(a + b)
    terms = np.exp(log_weight) * (np.exp(scale * np.outer(s, v)) @ masses)
    terms[0] /= 2
    total = np.exp(scale * np.multiply.outer(z, s)) @ terms
    return total.real * step / math.pi


@functools.lru_cache(maxsize=16)
def _log_ratio(
    num_classes: int, logit_std: float
) -> tuple[np.ndarray, np.ndarray]:
    """Values of log T on a grid, and their probabilities."""
    tail = math.log(num_classes) + min(logit_std, 9.0) * logit_std
    v = np.arange(-80 - tail, 5 + 9 * logit_std, STEP)
    log_transform, slope = laplace_transform(v, logit_std)
    density = (num_classes - 1) * slope
    density *= np.exp((num_classes - 2) * log_transform)
    masses = density * STEP
    # No line in `_expected` weighs a tail by more than this.
    weight = masses * np.exp(np.abs(v - v @ masses) / 2)
    kept = weight > 1e-18
    return v[kept], masses[kept]


def _log_gamma(x: np.ndarray) -> np.ndarray:
    """Logarithm of the gamma function, for a positive real part."""
    x = np.asarray(x, complex)
    total = LANCZOS[0] + sum(c / (x + k) for k, c in enumerate(LANCZOS) if k)
    base = x + 7.5
    return (
        (x + 0.5) * np.log(base)
        - base
        + np.log(total * math.sqrt(2 * math.pi))
        - np.log(x)
    )
