"""Features as rows of length 1, processed in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_noisy._containers import as_array, slices

#: Number of values to process at once.
CELLS = 2**22


def usable(features: Any) -> np.ndarray:
    """`features` as an array of two axes; raises if a row has no direction."""
    array = as_array("features", features)
    # bfloat16, too, is a number.
    is_number = np.can_cast(array.dtype, "float64", "same_kind")
    if array.ndim != 2 or 0 in array.shape or not is_number:
        raise ValueError(
            "Invalid value for argument `features`. Expected numbers of shape "
            "(N, D), such as those of `keras_noisy.quality.features`. "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    peaks = np.concatenate([_peaks(rows) for _, rows in _blocks(array)])
    bad = np.flatnonzero(~np.isfinite(peaks) | (peaks == 0))
    if len(bad):
        raise ValueError(
            "Invalid value for argument `features`. Expected finite rows that "
            f"are not zero. Received: {len(bad)} other rows, the first is "
            f"number {bad[0]}. A constant column becomes NaN when divided by "
            "its standard deviation: add a small number to the divisor"
        )
    return array


def unit_blocks(
    features: np.ndarray, order: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Parts of usable features, or of `features[order]`, in float32."""
    for part, rows in _blocks(features, order):
        # Divide by the peak first, so that no square overflows.
        rows /= _peaks(rows)[:, None]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        yield part, rows


def _blocks(
    features: np.ndarray, order: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    count = len(features) if order is None else len(order)
    size = max(1, CELLS // features.shape[1])
    for part in slices(count, size):
        rows = features[part if order is None else order[part]]
        yield part, rows.astype("float32")


def _peaks(rows: np.ndarray) -> np.ndarray:
    """The largest absolute value in each row, NaN if the row has a NaN."""
    return np.maximum(rows.max(axis=1), -rows.min(axis=1))
