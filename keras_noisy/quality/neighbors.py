"""The nearest neighbors of every sample, by the cosine of their features."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy._random import Random
from keras_noisy.quality._index import among_lists
from keras_noisy.quality._unit_rows import unit_blocks, usable

#: Rows and columns of a tile of cosines, which takes 256 MiB.
TILE = 8192
#: Less than any cosine.
NONE = -9.0


def nearest_neighbors(
    features: Any, k: int, candidates: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest other samples of every sample, by cosine.

    `FeatureQuality` calls this function; you can use it for your own methods.
    It compares each pair of samples once, in float32 on the Keras backend.
    The time grows with the square of the number of samples. Beyond a few
    hundred thousand set `candidates`: an inverted file of faiss (`pip install
    faiss-cpu`) then finds most of the neighbors.

    Args:
        features: One row for each sample, of shape `(N, D)`. Rows are scaled
            to length 1. A memory map is read in parts.
        k: Number of neighbors, from 1 to `N - 1`.
        candidates: Approximate number of samples to compare each sample with,
            an integer above `k`. A few thousand find most of the neighbors.
            Defaults to `None`, all samples.

    Returns:
        Indices, int32, and cosines, float32, both of shape `(N, k)`, the
        nearest first; backends may order equal cosines, such as those of
        copies, differently. No sample is its own neighbor.

    Raises:
        ValueError: If features are not finite or do not have two axes, if a
            row is zero, or if `k` or `candidates` is outside its range.
        ImportError: If `candidates` is given and faiss is not installed.

    Example:

    >>> from keras_noisy.quality import nearest_neighbors
    >>> indices, cosines = nearest_neighbors([[1, 0], [2, 0.1], [0, 3]], k=1)
    >>> indices.tolist()
    [[1], [0], [1]]
    """
    rows = usable(features)
    count, k = len(rows), integer("k", k, 1)
    if k >= count:
        raise ValueError(
            "Invalid value for argument `k`. Expected fewer neighbors than "
            f"there are samples, {count}. Received: k={k}"
        )
    if candidates is not None:
        candidates = integer("candidates", candidates, k + 1)
        if candidates < count:
            return among_lists(rows, k, candidates)
    return _among_all(rows, k)


def _among_all(features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Compare all pairs in tiles of one shape, for its rows and columns."""
    count = len(features)
    tiles = -(-count // TILE)
    size = -(-count // tiles)
    rows = np.zeros((tiles * size, features.shape[1]), "float32")
    # Among many copies of a picture, the first are often of the first class.
    order = Random(0, 21).permutation(count)
    place = np.argsort(order)
    for part, units in unit_blocks(features):
        rows[place[part]] = units
    best = _Best(count, len(rows), k)
    parts = np.arange(len(rows)).reshape(tiles, size)
    for first, own in enumerate(parts):
        for number, other in enumerate(parts[first:]):
            similarity = _cosines(rows[own], rows[other])
            best.add(own, other, similarity)
            if number > 0:
                best.add(other, own, ops.transpose(similarity))
    indices, cosines = best.found()
    return order.astype("int32")[indices[place]], cosines[place]


def _cosines(rows: np.ndarray, columns: np.ndarray) -> Any:
    left, right = map(ops.convert_to_tensor, (rows, columns))
    return ops.matmul(left, ops.transpose(right))


class _Best:
    """The nearest samples so far for each sample.

    There may be more rows than samples; extra rows are never neighbors.
    """

    def __init__(self, count: int, rows: int, k: int):
        self.count = count
        self.k = k
        # The search also finds the sample itself and the extra rows.
        self.width = k + 1 + rows - count
        self.indices = np.zeros((rows, k), "int32")
        self.cosines = np.full((rows, k), NONE, "float32")

    def add(self, own: np.ndarray, others: np.ndarray, similarity: Any) -> None:
        """Add the cosines of some samples with others."""
        values, places = ops.top_k(similarity, min(self.width, len(others)))
        cosines = np.array(ops.convert_to_numpy(values))
        indices = others[ops.convert_to_numpy(places)].astype("int32")
        cosines[(indices == own[:, None]) | (indices >= self.count)] = NONE
        cosines = np.concatenate([self.cosines[own], cosines], axis=1)
        indices = np.concatenate([self.indices[own], indices], axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : self.k]
        self.cosines[own] = np.take_along_axis(cosines, order, 1)
        self.indices[own] = np.take_along_axis(indices, order, 1)

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices and cosines of all samples."""
        return self.indices[: self.count], self.cosines[: self.count]
