"""The nearest neighbors of every sample, by the cosine of its features."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy.quality._clusters import STEP, Clusters
from keras_noisy.quality._unit_rows import unit_blocks, usable

#: Rows and columns of a tile of cosines, 256 MiB of them.
TILE = 8192
#: Less than any cosine.
NONE = -9.0


def nearest_neighbors(
    features: Any, k: int, candidates: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest other samples of every sample, by cosine.

    For `FeatureQuality`, which calls it, and for methods of your own. All
    samples are compared, each pair once, in float32 by the backend of Keras.
    The time grows with the square of their number; beyond some hundred
    thousand set `candidates`, and the samples are put into clusters first.

    Args:
        features: One row for each sample, of shape `(N, D)`; scaled to the
            length 1, so that their lengths do not matter. A memory map is read
            in parts.
        k: Number of neighbors, from 1 to `N - 1`.
        candidates: Number of samples that each sample is compared with, those
            of the nearest clusters, more than `k`. Some thousand find most of
            the neighbors. Defaults to `None`, all samples.

    Returns:
        Indices, int32, and cosines, float32, both of shape `(N, k)`, the
        nearest first. No sample is its own neighbor.

    Raises:
        ValueError: If features are not finite or not of two axes, if a row is
            zero, or if `k` or `candidates` is outside its range.

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
            return _among_clusters(rows, k, candidates)
    return _among_all(rows, k)


def _among_all(features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """By tiles of one shape, each of which serves its rows and columns."""
    count = len(features)
    tiles = -(-count // TILE)
    size = -(-count // tiles)
    rows = np.zeros((tiles * size, features.shape[1]), "float32")
    for part, units in unit_blocks(features):
        rows[part] = units
    best = _Best(count, len(rows), k)
    parts = np.arange(len(rows)).reshape(tiles, size)
    for first, own in enumerate(parts):
        for number, other in enumerate(parts[first:]):
            similarity = _cosines(rows[own], rows[other])
            best.add(own, other, similarity)
            if number > 0:
                best.add(other, own, ops.transpose(similarity))
    return best.found()


def _among_clusters(
    features: np.ndarray, k: int, candidates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each sample is compared with those of the clusters that are nearest."""
    clusters = Clusters(features, candidates)
    rows, count = clusters.rows, len(features)
    best = _Best(count, count, k)
    for own, others in clusters:
        # One shape for clusters of many sizes.
        width = others.stop - others.start
        padding = -width % STEP
        columns = np.pad(rows[others], ((0, padding), (0, 0)))
        outside = np.where(np.arange(width + padding) < width, 0, NONE)
        similarity = _cosines(rows[own], columns)
        similarity += ops.convert_to_tensor(outside.astype("float32"))
        best.add(
            own,
            np.arange(others.start, others.start + len(outside)),
            similarity,
        )
    _complete(best, rows)
    indices, cosines = best.found()
    found = np.empty_like(indices), np.empty_like(cosines)
    found[0][clusters.order] = clusters.order[indices]
    found[1][clusters.order] = cosines
    return found


def _complete(best: _Best, rows: np.ndarray) -> None:
    """Compare samples that have met fewer than `k` others with all of them."""
    left = np.flatnonzero(best.cosines[:, -1] <= NONE)
    best.cosines[left] = NONE
    size = max(1, TILE**2 // len(rows))
    for start in range(0, len(left), size):
        own = left[start : start + size]
        best.add(own, np.arange(len(rows)), _cosines(rows[own], rows))


def _cosines(rows: np.ndarray, columns: np.ndarray) -> Any:
    left, right = map(ops.convert_to_tensor, (rows, columns))
    return ops.matmul(left, ops.transpose(right))


class _Best:
    """The nearest of those that each sample has been compared with.

    There may be more rows than samples; these are nobody's neighbors.
    """

    def __init__(self, count: int, rows: int, k: int):
        self.count = count
        self.k = k
        # The sample itself and rows that are no samples are found too.
        self.width = k + 1 + rows - count
        self.indices = np.zeros((rows, k), "int32")
        self.cosines = np.full((rows, k), NONE, "float32")

    def add(self, own: np.ndarray, others: np.ndarray, similarity: Any) -> None:
        """Take in the cosines of some samples with others."""
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
