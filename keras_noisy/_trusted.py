"""Which samples have trusted labels, and the role of each in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array

#: The role of a sample in a batch of `trusted_and_noisy`, as numbers.
SHOT, QUERY, NOISY = range(3)


def trusted_mask(trusted: Any, count: int) -> np.ndarray:
    """`trusted` as a boolean for each sample."""
    array = as_array("trusted", trusted)
    are_objects = array.dtype.kind == "O"  # as after `fillna` of a column
    if are_objects and all(isinstance(v, bool | np.bool_) for v in array):
        array = array.astype(bool)
    expected = (
        f"a boolean for each of the {count} samples, or the different indices "
        f"of trusted samples in [0, {count})"
    )
    if array.ndim == 1 and array.dtype.kind == "b" and len(array) == count:
        return array
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"Invalid value for argument `trusted`. Expected {expected}. "
            f"Received: dtype {array.dtype}, shape {array.shape}"
        )
    outside = (array < 0) | (array >= count)
    if outside.any():
        raise invalid("trusted", array[outside][0].item(), expected)
    mask = np.zeros(count, bool)
    mask[array] = True
    if mask.sum() < len(array):
        values, counts = np.unique(array, return_counts=True)
        raise invalid("trusted", values[counts > 1][0].item(), expected)
    return mask
