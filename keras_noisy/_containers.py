"""Containers with one entry per sample, as arrays by position."""

import os
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import invalid


def as_array(name: str, value: Any) -> np.ndarray:
    """`value` as an array whose first axis counts the samples.

    A column of a table is read by position, whatever its index says. Images
    of different shapes give an array of objects.
    """
    if ops.is_tensor(value):
        array = np.asarray(ops.convert_to_numpy(value))
    else:
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            raise ValueError(
                f"Invalid value for argument `{name}`. Expected an array "
                "without masked entries, which would count as what is below "
                f"the mask. Received: {np.ma.count_masked(value)} of them. "
                f"Leave them out, or fill them, such as by `{name}.filled(-1)`"
            )
        try:
            array = np.asarray(value)
        except ValueError:  # rows that differ in length
            rows = list(value)
            array = np.empty(len(rows), object)
            array[:] = rows
        mixed = array.dtype.kind in "US" and isinstance(value, list | tuple)
        if mixed and not all(isinstance(v, str | bytes) for v in value):
            array = np.array(value, object)  # not a number or NaN as text
    if array.ndim == 0:
        expected = "an array, a list or a column of a table"
        raise invalid(name, type(value), f"{expected}, one entry per sample")
    return array


def as_paths(array: np.ndarray) -> np.ndarray | None:
    """Text of an array of paths, or None if it holds anything else."""
    if array.ndim != 1 or len(array) == 0:
        return None
    if array.dtype.kind in "UT":
        return array.astype(str)
    paths: list[Any]
    paths = array.tolist() if array.dtype.kind in "OS" else [None]
    if all(isinstance(path, str | bytes | os.PathLike) for path in paths):
        return np.array([os.fsdecode(path) for path in paths])
    return None
