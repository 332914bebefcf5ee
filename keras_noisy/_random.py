"""Random numbers that are the same with every version of NumPy.

NumPy may change what its distributions draw, but never the raw bits of a bit
generator for a seed, so only these are used.
"""

import numpy as np


class Random:
    """Draws from one seed; numbers in `path` select an independent stream.

    The first number belongs to the caller: 1 `corrupt`, 2 `instance_dependent`,
    3 `open_set`, 4 `out_of_fold_probabilities`, 5 the digits, 6 the pipelines,
    7 `LDCE`, 16 clicks that are replaced, 20 `flip_labels`, 21 the estimates of
    `keras_noisy.quality`.
    """

    def __init__(self, seed: int, *path: int):
        sequence = np.random.SeedSequence(seed, spawn_key=path)
        self._bits = np.random.PCG64(sequence)

    def uniform(self, count: int) -> np.ndarray:
        """Numbers in (0, 1), float64 of shape `(count,)`."""
        return ((self._bits.random_raw(count) >> 12) + 0.5) * 2.0**-52

    def permutation(self, count: int) -> np.ndarray:
        """The numbers from 0 to `count - 1` in random order."""
        # NumPy sorts 16 bits in linear time, so sort 32 bits in two passes.
        bits = self._bits.random_raw(count)
        low, high = (bits >> 16).astype("uint16"), (bits >> 32).astype("uint16")
        order = np.argsort(low, kind="stable")
        return order[np.argsort(high[order], kind="stable")]

    def normal(self, rows: int, columns: int) -> np.ndarray:
        """Standard normal numbers, by the Box-Muller transform."""
        half = -(-rows * columns // 2)
        radius = np.sqrt(-2 * np.log(self.uniform(half)))
        angle = 2 * np.pi * self.uniform(half)
        pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)])
        return pairs.ravel()[: rows * columns].reshape(rows, columns)
