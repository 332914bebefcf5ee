"""Containers with one entry per sample, as arrays by position."""

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid


def without_tensor(value: Any) -> Any:
    """`value`, as a NumPy array if it is a tensor of the backend.

    NumPy itself cannot read a PyTorch tensor that has a gradient, is bfloat16
    or is on a GPU.
    """
    is_tensor = ops.is_tensor(value)
    return np.asarray(ops.convert_to_numpy(value)) if is_tensor else value


def floats(name: str, value: Any, expected: str) -> np.ndarray:
    """`value` as a new float64 array; an error if it is not numbers."""
    try:
        return np.array(without_tensor(value), "float64")
    except (TypeError, ValueError) as error:
        raise invalid(name, value, expected) from error


def check_no_mask(name: str, value: Any) -> None:
    """Reject an array of which some entries are masked."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected an array "
            "without masked entries, as the values below the mask would "
            f"count. Received: {np.ma.count_masked(value)} of them. "
            f"Leave them out, or fill them, as in `{name}.filled(-1)`"
        )


def as_array(name: str, value: Any) -> np.ndarray:
    """`value` as an array whose first axis counts the samples.

    A column of a table is read by position, whatever its index says. Images
    of different shapes give an array of objects.
    """
    if ops.is_tensor(value):
        array = without_tensor(value)
    else:
        check_no_mask(name, value)
        try:
            array = np.asarray(value)
        except ValueError:  # rows that differ in length
            rows = list(value)
            array = np.empty(len(rows), object)
            array[:] = rows
        mixed = array.dtype.kind in "US" and isinstance(value, list | tuple)
        if mixed and not all(isinstance(v, str | bytes) for v in value):
            array = np.array(value, object)  # not a number or NaN as text
        if array.dtype.kind == "O" and array.ndim == 2:
            array = _numbers_of(array)
    array = native(array)
    if array.ndim == 0:
        expected = "an array, a list or a column of a table"
        raise invalid(name, type(value), f"{expected}, one entry per sample")
    return array


def _numbers_of(table: np.ndarray) -> np.ndarray:
    """A table whose columns differ in type, as numbers if all cells are."""
    with contextlib.suppress(ValueError):  # cells that differ in length
        found = np.array(table.tolist())
        if found.dtype.kind in "biuf" and found.shape == table.shape:
            return found
    return table


def native(array: np.ndarray) -> np.ndarray:
    """An array in the byte order of the machine, which PyTorch needs."""
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))


def batches_of(
    name: str, data: Any, first: int = 0
) -> Iterator[tuple[Any, Any]]:
    """Inputs and labels of the batches of a data set, from `first` on.

    A `PyDataset` without a length is endless. Labels of no axis show a data
    set that gives single samples, which is an error.
    """
    batches: Iterable[Any]
    if isinstance(data, keras.utils.PyDataset):
        last = data.num_batches
        numbers = itertools.count(first) if last is None else range(first, last)
        batches = map(data.__getitem__, numbers)
    else:
        batches = itertools.islice(data, first, None)
    for batch in batches:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if hasattr(y, "shape") and len(y.shape) == 0:
            expected = f"batches of samples, as `{name}.batch(64)` gives"
            raise invalid(name, data, f"{expected}, not single ones")
        yield x, y


def are_arrays(x: Any) -> bool:
    """Whether `x` holds arrays instead of giving batches."""
    leaves = keras.tree.flatten(x)
    return len(leaves) > 0 and all(hasattr(leaf, "shape") for leaf in leaves)


def first_not_finite(rows: np.ndarray) -> int | None:
    """The number of the first row with NaN or infinity."""
    finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
    return None if finite.all() else int(np.argmin(finite))


def slices(count: int, size: int, first: int = 0) -> Iterator[slice]:
    """Slices of at most `size` entries, from `first` to `count`."""
    for start in range(first, count, size):
        yield slice(start, min(start + size, count))


def in_parts(
    arrays: Any, size: int, count: int, first: int = 0
) -> Iterator[Any]:
    """The samples of arrays from `first` to `count`, `size` at a time."""
    # The other sparse matrices of SciPy have no rows to read.
    arrays = keras.tree.map_structure(
        lambda x: x.tocsr() if hasattr(x, "tocsr") else x, arrays
    )

    def dense(part: Any) -> Any:
        return part.toarray() if hasattr(part, "tocsr") else part

    for rows in slices(count, size, first):
        yield keras.tree.map_structure(lambda x: dense(x[rows]), arrays)  # noqa: B023


def as_paths(array: np.ndarray) -> np.ndarray | None:
    """Text of an array of paths, or None if it holds anything else."""
    if array.ndim != 1 or len(array) == 0:
        return None
    if array.dtype.kind in "UT":
        return _from_home(array.astype(str))
    paths: list[Any]
    paths = array.tolist() if array.dtype.kind in "OS" else [None]
    if all(isinstance(path, str | bytes | os.PathLike) for path in paths):
        return _from_home(np.array([os.fsdecode(path) for path in paths]))
    return None


def _from_home(paths: np.ndarray) -> np.ndarray:
    """Paths in which `~/` at the start is the home folder."""
    if not np.char.startswith(paths, "~/").any():
        return paths
    return np.array(
        [
            os.path.expanduser(path) if path.startswith("~/") else path
            for path in paths.tolist()
        ]
    )
