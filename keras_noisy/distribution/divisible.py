"""Batches that the devices of JAX can share.

JAX splits each batch evenly. If it cannot, it raises an error when Keras has
taken the weights out of the model, which are then lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_noisy.distribution.processes import process_count


def parts() -> int:
    """Into how many parts Keras splits each batch of this process."""
    if keras.backend.backend() != "jax":
        return 1
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    axis = mesh.axis_names.index(distribution.batch_dim_name)
    return max(1, mesh.shape[axis] // process_count())


def missing(size: int) -> int:
    """How many samples a batch lacks to be split evenly."""
    return -size % parts()


def padded(x: Any, more: int) -> Any:
    """A batch with its last sample repeated this many times."""
    if not more:
        return x

    def longer(part: Any) -> np.ndarray:
        part = np.asarray(part)
        return np.concatenate([part, np.repeat(part[-1:], more, axis=0)])

    return keras.tree.map_structure(longer, x)


def predict(model: keras.Model, x: Any, batch_size: int | None = None) -> Any:
    """What `model.predict` returns, for any number of samples."""
    leaves = keras.tree.flatten(x)
    size = leaves[0].shape[0] if _are_arrays(leaves) else 0
    if parts() == 1 or not size:
        return model.predict(x, batch_size=batch_size, verbose=0)
    batch_size = batch_size or 32
    batch_size += missing(batch_size)
    found = model.predict(
        padded(x, missing(size)), batch_size=batch_size, verbose=0
    )
    return keras.tree.map_structure(lambda y: y[:size], found)


def check(given: dict[str, Any]) -> None:
    """Raise if arguments of `fit` or `evaluate` give batches of other sizes."""
    if parts() == 1:
        return
    for name, size in _sizes(given):
        if missing(size):
            raise ValueError(
                "Expected batches, the last one too, whose size is a multiple "
                f"of the {parts()} devices. Received: a batch of {size} "
                f"samples in `{name}`. Choose a batch size and a number of "
                f"samples that are multiples of {parts()}"
            )


def _sizes(given: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Sizes of batches, as far as they are known, and where they come from."""
    size = given.get("batch_size")
    steps = given.get("steps_per_epoch") or given.get("steps")
    x, count = given.get("x"), None
    split = given.get("validation_split")
    leaves = keras.tree.flatten(x)
    if split and _are_arrays(leaves):
        count = int(len(leaves[0]) * (1 - split))
        for each in _of_samples(len(leaves[0]) - count, size, steps):
            yield "validation_split", each
    for each in _of_data(x, size, steps, count):
        yield "x", each
    data = given.get("validation_data")
    if data is not None:
        data = data[0] if isinstance(data, tuple | list) else data
        size = given.get("validation_batch_size") or size
        for each in _of_data(data, size, given.get("validation_steps")):
            yield "validation_data", each


def _of_data(
    x: Any, batch_size: int | None, steps: int | None, count: int | None = None
) -> list[int]:
    """The sizes of batches of arrays or of a data set."""
    if hasattr(x, "batch_sizes"):  # of this package
        return list(x.batch_sizes)
    if hasattr(x, "element_spec"):  # of TensorFlow
        specs = keras.tree.flatten(x.element_spec)
        shapes = [getattr(spec, "shape", None) for spec in specs]
        known = [shape for shape in shapes if shape is not None and shape.rank]
        return [shape[0] for shape in known if shape[0]]
    leaves = keras.tree.flatten(x)
    if not _are_arrays(leaves):
        return []
    return _of_samples(count or len(leaves[0]), batch_size, steps)


def _of_samples(
    count: int, batch_size: int | None, steps: int | None
) -> list[int]:
    """The sizes of the first and the last batch."""
    batch_size = batch_size or 32
    # With a number of steps, the last batch may never come.
    last = 0 if steps else count % batch_size
    return [batch_size, last] if count >= batch_size else [count]


def _are_arrays(leaves: list[Any]) -> bool:
    return bool(leaves) and all(len(getattr(x, "shape", ())) for x in leaves)
