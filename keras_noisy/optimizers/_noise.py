"""Gaussian noise that depends on nothing but a seed and a number."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


class StepSeed(keras.random.SeedGenerator):
    """Seeds that are told rather than counted.

    They need no state of their own, so that devices and processes draw the
    same noise, and a run that goes on draws that of one that never stopped.
    """

    def __init__(self, seed: int):
        super().__init__(seed)
        self.seed = seed
        self.number: Tensor = 0

    def next(self, ordered: bool = True) -> Tensor:
        """The seed of the number that was told last."""
        dtype = self.state.dtype
        number = ops.cast(self.number, dtype)
        return ops.stack([ops.cast(self.seed, dtype), number])

    def normal(self, shape: tuple[int, ...], number: Tensor) -> Tensor:
        """Standard normal noise in float32, different for each number."""
        self.number = number
        return keras.random.normal(shape, dtype="float32", seed=self)
