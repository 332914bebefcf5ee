"""Gaussian noise that depends only on a seed and a number."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


class StepSeed(keras.random.SeedGenerator):
    """Seeds that the caller numbers, instead of a counter.

    They need no state: devices and processes draw the same noise, and so does
    a resumed run.
    """

    def __init__(self, seed: int):
        super().__init__(seed)
        self.seed = seed
        self.number: Tensor = 0

    def next(self, ordered: bool = True) -> Tensor:
        """The seed of the last given number."""
        dtype = self.state.dtype
        number = ops.cast(self.number, dtype)
        return ops.stack([ops.cast(self.seed, dtype), number])

    def normal(self, shape: tuple[int, ...], number: Tensor) -> Tensor:
        """Standard normal noise in float32, different for each number."""
        self.number = number
        return keras.random.normal(shape, dtype="float32", seed=self)
