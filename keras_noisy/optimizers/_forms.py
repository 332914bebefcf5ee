"""The order of operations in the three programs of Entropy-SGD."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

Tensor = Any
FORMS = ("2017", "2017-python", "2021")
#: `exp` of a larger number exceeds any cap on the strength of the spring.
LARGEST_EXPONENT = 80.0


class Momentum(NamedTuple):
    """Momentum, plain or Nesterov's."""

    factor: float
    nesterov: bool

    def step(self, d: Tensor, buffer: Tensor) -> tuple[Tensor, Tensor]:
        """The direction of the step, and the next buffer."""
        buffer = self.factor * buffer + d
        return (d + self.factor * buffer if self.nesterov else buffer), buffer


def walk_direction(
    form: str,
    gradient: Tensor,
    decay: Tensor,
    pull: Tensor,
    momentum: Momentum,
    buffer: Tensor,
) -> tuple[Tensor, Tensor]:
    """Direction of a walk step before the noise, and the next buffer."""
    before, after = {
        "2017": (0.0, decay + pull),
        "2017-python": (decay, pull),
        "2021": (decay + pull, 0.0),
    }[form]
    d, buffer = momentum.step(gradient + before, buffer)
    return d + after, buffer


def spring(
    start: float | Tensor, growth: Tensor, t: Tensor, highest: float, dtype: str
) -> Tensor:
    """Strength of the spring in outer step `t`; `growth` is a logarithm."""
    precise = "float64" if dtype == "float64" else "float32"
    exponent = ops.minimum(ops.cast(t, precise) * growth, LARGEST_EXPONENT)
    strength = ops.cast(start, precise) * ops.exp(exponent)
    return ops.cast(ops.minimum(strength, highest), dtype)
