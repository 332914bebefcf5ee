"""Checks of rates and seeds."""

from typing import Any

from keras_noisy._arguments import integer, real


def noise_rate(rate: Any) -> float:
    """`rate` if it is a probability."""
    return real("rate", rate, 0, 1, "low high")


def random_seed(seed: Any) -> int:
    """`seed` if it is an integer of at least 0."""
    return integer("seed", seed, 0)
