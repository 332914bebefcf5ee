"""Clusters of samples, so that a search need not look at all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from keras import ops

from keras_noisy.quality._unit_rows import unit_blocks

#: Steps towards the centers, and samples of each that they are found by.
STEPS, SAMPLES = 5, 40
#: Samples of a cluster, at least and on average.
SMALLEST = 256
#: Samples that look for their neighbors in a cluster at once, and what the
#: size of a cluster is rounded to, so that few programs are compiled.
BLOCK, STEP = 1024, 128
#: Rows that look for their centers at once.
ROWS = 4096


class Clusters:
    """Rows of unit length in the order of their clusters.

    `candidates` is the mean number of samples in those clusters that a sample
    looks at, the nearest ones.
    """

    def __init__(self, features: np.ndarray, candidates: int):
        count = len(features)
        number = max(1, min(candidates, count // SMALLEST))
        probes = min(number, -(-candidates * number // count))
        generator = np.random.default_rng(0)
        size = min(count, SAMPLES * number)
        chosen = np.sort(generator.choice(count, size, replace=False))
        sample = [rows for _, rows in unit_blocks(features, chosen)]
        centers = _centers(np.concatenate(sample), number, generator)
        near = np.concatenate(
            [_nearest(r, centers, probes) for _, r in unit_blocks(features)]
        )
        self.order = np.argsort(near[:, 0], kind="stable")
        self.near = near[self.order]
        sizes = np.bincount(self.near[:, 0], minlength=number)
        self.ends = sizes.cumsum()
        self.rows = np.empty(features.shape, "float32")
        for part, rows in unit_blocks(features, self.order):
            self.rows[part] = rows

    def __iter__(self) -> Iterator[tuple[np.ndarray, slice]]:
        """Rows that look at a cluster, and the rows that are in it."""
        by_cluster = np.argsort(self.near.ravel(), kind="stable")
        looking = by_cluster // self.near.shape[1]
        counts = np.bincount(self.near.ravel(), minlength=len(self.ends))
        start = first = 0
        for end, last in zip(self.ends, counts.cumsum(), strict=True):
            for begin in range(first, last if end > start else first, BLOCK):
                own = looking[begin : min(begin + BLOCK, last)]
                yield (
                    np.resize(own, min(BLOCK, len(self.rows))),
                    slice(start, end),
                )
            start, first = end, last


def _centers(
    sample: np.ndarray, number: int, generator: np.random.Generator
) -> np.ndarray:
    """Directions that the rows of a sample are near to."""
    centers = sample[generator.choice(len(sample), number, replace=False)]
    for _ in range(STEPS):
        nearest = _nearest(sample, centers, 1)[:, 0]
        order = np.argsort(nearest, kind="stable")
        found, starts = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centers[found] = sums / np.maximum(length, 1e-12)
    return centers


def _nearest(rows: np.ndarray, centers: np.ndarray, number: int) -> np.ndarray:
    """The `number` centers that are nearest to each row, the nearest first."""
    found = np.empty((len(rows), number), "int32")
    columns = ops.convert_to_tensor(np.ascontiguousarray(centers.T))
    size = min(ROWS, len(rows))
    for start in range(0, len(rows), size):
        # The last block begins early, so that all have one shape.
        part = slice(min(start, len(rows) - size), start + size)
        block = ops.convert_to_tensor(rows[part])
        _, places = ops.top_k(ops.matmul(block, columns), number)
        found[part] = ops.convert_to_numpy(places)
    return found
