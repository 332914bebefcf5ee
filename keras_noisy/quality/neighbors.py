"""The nearest neighbors of every sample, by the cosine of its features."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy._containers import as_array

#: Similarities that are in memory at once, 128 MiB of them.
CELLS = 2**25
#: Columns that are searched for their largest entry first.
WIDTH = 64


def nearest_neighbors(features: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest other samples of every sample, by cosine.

    For `FeatureQuality`, which calls it, and for methods of your own. The
    search is exact: a block of rows is multiplied with all samples at a time,
    in float32 by the backend of Keras. Its time grows with the square of the
    number of samples; beyond some hundred thousand take an index such as that
    of faiss, and pass what it finds to `FeatureQuality`.

    Args:
        features: One row for each sample, of shape `(N, D)`; scaled to the
            length 1, so that their lengths do not matter.
        k: Number of neighbors, from 1 to `N - 1`.

    Returns:
        Indices, int32, and cosines, float32, both of shape `(N, k)`, the
        nearest first. No sample is its own neighbor.

    Raises:
        ValueError: If features are not finite or not of two axes, if a row is
            zero, or if `k` is outside its range.

    Example:

    >>> from keras_noisy.quality import nearest_neighbors
    >>> indices, cosines = nearest_neighbors([[1, 0], [2, 0.1], [0, 3]], k=1)
    >>> indices.tolist()
    [[1], [0], [1]]
    """
    rows = unit_rows(features)
    count, k = len(rows), integer("k", k, 1)
    if k >= count:
        raise ValueError(
            "Invalid value for argument `k`. Expected fewer neighbors than "
            f"there are samples, {count}. Received: k={k}"
        )
    width = min(WIDTH, max(1, count // (2 * (k + 1))))
    padding = -count % width
    # One more feature keeps the columns that fill up the last group away.
    rows = np.pad(rows, ((0, 0), (0, 1)), constant_values=1)
    columns = np.pad(rows, ((0, padding), (0, 0)))
    columns[:count, -1], columns[count:, -1] = 0, -4
    columns = ops.convert_to_tensor(np.ascontiguousarray(columns.T))
    size = int(np.clip(CELLS // (count + padding), 1, count))
    indices = np.empty((count, k), "int32")
    cosines = np.empty((count, k), "float32")
    for start in range(0, count, size):
        # The last block begins early, so that all have one shape.
        start = min(start, count - size)
        block = ops.convert_to_tensor(rows[start : start + size])
        values, found = _largest(ops.matmul(block, columns), k + 1, width)
        own = np.arange(start, start + size)
        part = _without(found, own)
        indices[start : start + size] = np.take_along_axis(found, part, 1)
        cosines[start : start + size] = np.take_along_axis(values, part, 1)
    return indices, cosines


def unit_rows(features: Any) -> np.ndarray:
    """`features` as float32 rows of length 1."""
    array = as_array("features", features)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise ValueError(
            "Invalid value for argument `features`. Expected numbers of shape "
            "(N, D), such as those of `keras_noisy.quality.features`. "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    rows = array.astype("float32")
    bad = ~np.isfinite(rows).all(axis=1)
    # Entries of any size, without a square that overflows.
    peak = np.abs(rows).max(axis=1, keepdims=True)
    bad |= peak[:, 0] == 0
    if bad.any():
        raise ValueError(
            "Invalid value for argument `features`. Expected finite rows that "
            f"are not zero. Received: {np.count_nonzero(bad)} other rows, the "
            f"first is number {np.argmax(bad)}. A column that never changes "
            "is NaN once it is divided by its standard deviation: add a small "
            "number to that"
        )
    rows /= peak
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _largest(
    similarity: Any, k: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` largest entries of each row and their columns.

    They are in the `k` groups of columns with the largest maxima, and only
    these are sorted.
    """
    size = similarity.shape[0]
    if width > 1:
        groups = ops.reshape(similarity, (size, -1, width))
        _, best = ops.top_k(ops.max(groups, axis=-1), k)
        best = ops.cast(best, "int32")
        members = ops.take_along_axis(groups, best[:, :, None], axis=1)
        values, place = ops.top_k(ops.reshape(members, (size, -1)), k)
        place = ops.convert_to_numpy(place).astype("int64")
        best = ops.convert_to_numpy(best).astype("int64")
        found = np.take_along_axis(best, place // width, 1) * width
        found += place % width
    else:
        values, found = ops.top_k(similarity, k)
        found = ops.convert_to_numpy(found).astype("int64")
    return np.asarray(ops.convert_to_numpy(values)), found


def _without(found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Places of all neighbors but the sample itself, or but the last one.

    Of many copies of a sample any may come first.
    """
    is_own = found == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    return np.nonzero(~is_own)[1].reshape(len(found), -1)
