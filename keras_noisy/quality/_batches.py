"""The inputs of a data set of any kind, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy._containers import are_arrays, batches_of, in_parts
from keras_noisy._given import without_index

ENDLESS = "a data set that does not repeat"
ORDERED = "samples in their order, those of"


class Batches:
    """Batches in order, starting at any batch, without their labels."""

    def __init__(self, data: Any, batch_size: int):
        self.is_arrays = are_arrays(data)
        self.batch_size = batch_size
        self.total: int | None = None
        self.data = data
        if getattr(data, "is_random", False):  # of this package
            advice = "`training=False` and, of sessions, `by_length=False`"
            raise invalid("data", data, f"{ORDERED} {advice}")
        first = data[0] if isinstance(data, list | tuple) and data else data
        is_files = not isinstance(data, keras.utils.PyDataset) and (
            hasattr(data, "files") or isinstance(first, str | os.PathLike)
        )
        if is_files:
            expected = (
                "arrays or a data set; of files, pass `ImageDataset((paths, "
                "labels), image_size=224)`"
            )
            raise invalid("data", type(data), expected)
        if self.is_arrays:
            self.data = keras.tree.map_structure(without_index, data)
            sizes = {leaf.shape[0] for leaf in keras.tree.flatten(self.data)}
            if len(sizes) != 1:
                raise ValueError(
                    "Invalid value for argument `data`. Expected arrays of "
                    f"one length. Received: lengths {sorted(sizes)}"
                )
            self.total = -(-sizes.pop() // batch_size)
        elif isinstance(data, keras.utils.PyDataset):
            self.total = data.num_batches
            if self.total is None:
                raise invalid("data", type(data), ENDLESS)
        elif isinstance(data, Iterator) or not isinstance(data, Iterable):
            expected = "arrays, or a data set that can be read from its start"
            raise invalid("data", type(data), expected)
        elif "Random" in type(getattr(data, "sampler", None)).__name__:
            # A DataLoader of PyTorch.
            raise invalid("data", data, f"{ORDERED} `shuffle=False`")
        else:
            self.total = _length(data)

    def from_number(self, first: int) -> Iterator[Any]:
        """The inputs of each batch, starting at batch `first`."""
        if self.is_arrays:
            size = self.batch_size
            end = (self.total or 0) * size
            yield from in_parts(self.data, size, end, first * size)
            return
        for x, _ in batches_of("data", self.data, first):
            yield x

    def to_compare(self) -> Any:
        """Data that identify the data set: all arrays, or the first batch."""
        return self.data if self.is_arrays and self.total else self.first()

    def first(self) -> Any:
        """The inputs of the first batch."""
        for batch in self.from_number(0):
            return batch
        raise invalid("data", type(self.data), "at least one sample")


def _length(data: Any) -> int | None:
    """The number of batches, if the data set knows it."""
    if hasattr(data, "cardinality") and int(data.cardinality()) == -1:
        raise invalid("data", type(data), ENDLESS)
    try:
        return len(data)
    except TypeError:
        return None
