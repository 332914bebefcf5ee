"""The threshold of a clipped gradient, from the losses of a network."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_noisy.losses import _mixture
from keras_noisy.losses.base._math import complement, expm1
from keras_noisy.losses.focal import focal

Tensor = Any

#: Probabilities from 1e-7 to 1 - 1e-7, as cross-entropies.
LEAST, MOST = 1e-7, -math.log(1e-7)
#: Number of points at which a Gaussian is summed, and their range in widths.
POINTS, WIDTHS = 256, 6.0
#: Bisection steps for the threshold, in an interval of width 16.
HALVINGS = 24


class Base(NamedTuple):
    """A loss of the probability of the label, and its slope."""

    kind: str
    gamma: float
    q: float

    def value(self, log_p: Tensor) -> Tensor:
        """The loss."""
        if self.kind == "focal":
            return focal(log_p, self.gamma, False)
        if self.kind == "gce":
            return expm1(self.q * log_p) / -self.q
        return -log_p

    def slope(self, log_p: Tensor) -> Tensor:
        """Its derivative by the probability, without the sign."""
        if self.kind == "gce":
            return ops.exp((self.q - 1) * log_p)
        if self.kind == "focal":
            rest = complement(log_p)
            left = self.gamma * -log_p * rest ** (self.gamma - 1)
            return left + rest**self.gamma * ops.exp(-log_p)
        return ops.exp(-log_p)

    def clipped(self, log_p: Tensor, level: Tensor) -> Tensor:
        """The loss, a straight line where cross-entropy is above `level`."""
        level = ops.cast(level, log_p.dtype)
        inside = self.value(ops.maximum(log_p, -level))
        below = ops.exp(-level) - ops.exp(ops.minimum(log_p, -level))
        return inside + self.slope(-level) * below


def threshold(losses: Tensor, target: Tensor, base: Base) -> Tensor:
    """The cross-entropy above which the gradient is clipped.

    At this value, the ratio of the expected gradients of the two Gaussians of
    the losses is `target`. If it never is, the result is `MOST`.
    """
    mixture = _mixture.fitted(losses)
    deviation = ops.sqrt(mixture.variance)[:, None]
    mean = mixture.mean[:, None]
    low = ops.maximum((LEAST - mean) / deviation, -WIDTHS)
    high = ops.minimum((MOST - mean) / deviation, WIDTHS)
    middles = (np.arange(POINTS, dtype="float32") + 0.5) / POINTS
    place = low + (high - low) * ops.convert_to_tensor(middles)
    weight = ops.exp(-0.5 * ops.square(place))
    weight = weight / ops.sum(weight, axis=-1, keepdims=True)
    points = ops.clip(mean + deviation * place, LEAST, MOST)

    def ratio(level: Tensor) -> Tensor:
        slope = base.slope(-ops.minimum(points, level))
        clean, noisy = ops.unstack(ops.sum(weight * slope, axis=-1), 2)
        return noisy / clean

    def halve(_: Any, ends: Tensor) -> Tensor:
        middle = ops.mean(ends)
        above = ratio(middle) > target
        return ops.stack(
            [
                ops.where(above, ends[0], middle),
                ops.where(above, middle, ends[1]),
            ]
        )

    ends = ops.convert_to_tensor([LEAST, MOST], "float32")
    return ops.fori_loop(0, HALVINGS, halve, ends)[1]
