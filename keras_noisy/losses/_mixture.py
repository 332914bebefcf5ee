"""Two Gaussians, fitted to losses by expectation maximization."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from keras_noisy.losses.base._math import TINY

Tensor = Any

#: Fixed, so that compiled code is too; the fit has converged by then.
STEPS = 20
#: Keeps a Gaussian of equal losses from collapsing to a point.
LEAST_VARIANCE = 1e-6


class Mixture(NamedTuple):
    """Numbers of two Gaussians, each of shape (2,), the smaller mean first.

    Small losses belong to labels that are likely right.
    """

    mean: Tensor
    variance: Tensor
    share: Tensor

    def clean(self, losses: Tensor) -> Tensor:
        """Probability that a loss belongs to the first Gaussian, elementwise.

        Losses below its mean get the probability at the mean: they are no less
        clean, even if a wide second Gaussian reaches below the first.
        """
        losses = ops.maximum(losses, self.mean[0])
        return ops.sigmoid(-_log_odds(losses, self))

    def packed(self) -> Tensor:
        """All numbers in one tensor, of shape (6,)."""
        return ops.concatenate([*self])


#: All losses belong to the first Gaussian.
START = [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]


def unpacked(numbers: Tensor) -> Mixture:
    """A mixture from its `packed` numbers."""
    return Mixture(numbers[0:2], numbers[2:4], numbers[4:6])


def fitted(losses: Tensor) -> Mixture:
    """The mixture that is fitted to losses of shape (N,)."""
    high = ops.cast(losses > ops.mean(losses), losses.dtype)

    def step(_: Any, high: Tensor) -> Tensor:
        return ops.sigmoid(_log_odds(losses, _maximized(losses, high)))

    found = _maximized(losses, ops.fori_loop(0, STEPS, step, high))
    swapped = found.mean[0] > found.mean[1]
    return Mixture(*(ops.where(swapped, ops.flip(x), x) for x in found))


def _maximized(losses: Tensor, high: Tensor) -> Mixture:
    """The mixture, from how much each loss belongs to the second Gaussian."""
    weight = ops.stack([1 - high, high])
    count = ops.sum(weight, axis=-1)
    some = ops.maximum(count, TINY)
    # A Gaussian without losses gets the moments of all losses.
    empty = count < 1e-6
    mean = ops.sum(weight * losses, axis=-1) / some
    mean = ops.where(empty, ops.mean(losses), mean)
    squares = ops.square(losses - mean[:, None])
    variance = ops.sum(weight * squares, axis=-1) / some
    variance = ops.where(empty, ops.mean(squares, axis=-1), variance)
    share = count / ops.sum(count)
    return Mixture(mean, variance + LEAST_VARIANCE, share)


def _log_odds(losses: Tensor, mixture: Mixture) -> Tensor:
    """Log-odds of the second Gaussian against the first."""

    def log_density(k: int) -> Tensor:
        variance = mixture.variance[k]
        share = ops.log(ops.maximum(mixture.share[k], TINY))
        distance = ops.square(losses - mixture.mean[k]) / variance
        return share - 0.5 * (ops.log(variance) + distance)

    return log_density(1) - log_density(0)
