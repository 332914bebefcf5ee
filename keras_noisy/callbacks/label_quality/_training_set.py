"""Training samples and their labels, in whatever form they are given."""

import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._given import check_length, without_index

#: Samples whose predictions are in memory at once.
SAMPLES = 8192


def samples(x: Any, count: int) -> Any:
    """`x`, with tables as arrays; an error unless it may give `count`."""
    if hasattr(x, "files") and not isinstance(x, keras.utils.PyDataset):
        advice = "`ImageDataset(x, batch_size, image_size=...)`, which reads it"
        raise invalid("x", x, advice)
    if is_arrays(x):
        x = keras.tree.map_structure(without_index, x)
        for array in keras.tree.flatten(x):
            check_length("x", array.shape[0] if array.shape else 0, count)
    elif isinstance(x, list | tuple | dict | Iterator):
        raise invalid("x", type(x), "arrays, or a data set to read repeatedly")
    return x


def is_arrays(x: Any) -> bool:
    """Whether `x` holds arrays, rather than gives batches."""
    leaves = keras.tree.flatten(x)
    return len(leaves) > 0 and all(hasattr(leaf, "shape") for leaf in leaves)


def predict(
    model: keras.Model, x: Any, labels: np.ndarray, batch_size: int
) -> Iterator[Any]:
    """Predict as `model.predict` does, some samples at a time.

    An error if `x` is not in order.
    """
    if is_arrays(x):
        size = -(-SAMPLES // batch_size) * batch_size
        for start in range(0, len(labels), size):
            rows = slice(start, start + size)
            part = keras.tree.map_structure(lambda of: of[rows], x)  # noqa: B023
            yield model.predict(part, batch_size=batch_size, verbose=0)
        return
    batches = _Batches(x, labels)
    left = iter(batches)
    for first in left:
        size = max(1, len(keras.tree.flatten(first)[0]))
        more = itertools.islice(left, -(-SAMPLES // size) - 1)
        with warnings.catch_warnings():
            # Keras warns of every iterator that comes to an end.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            found = model.predict(_generator(first, more), verbose=0)
        if batches.in_order and batches.count <= len(labels):
            yield found
    if not batches.in_order:
        raise invalid(
            "x",
            x,
            "samples in the order of `y`, the same in every epoch; their "
            "labels differ from `y`. Pass a data set that does not shuffle, "
            "and no augmentation that mixes samples",
        )
    if batches.count != len(labels):
        more_than = "more" if batches.count > len(labels) else batches.count
        raise invalid(
            "x",
            x,
            f"as many samples as `y` has labels, {len(labels)}, in every "
            f"epoch, and it gives {more_than}. Pass a data set that keeps the "
            "last batch, is finite and can be read again",
        )


def _generator(first: Any, more: Iterable[Any]) -> Iterator[Any]:
    """Batches in a form that Keras takes for a data set."""
    yield first
    yield from more


class _Batches:
    """The inputs of a data set, and whether its labels are in order.

    A data set that shuffles gives no error in `predict`, only scores of other
    samples.
    """

    def __init__(self, x: Any, labels: np.ndarray):
        self.x = x
        self.labels = labels
        self.count = 0
        self.in_order = True

    def __iter__(self) -> Iterator[tuple[Any]]:
        data = self.x
        if isinstance(data, keras.utils.PyDataset):
            data = map(data.__getitem__, range(data.num_batches))
        for batch in data:
            inputs, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
            size = len(keras.tree.flatten(inputs)[0])
            labels = self.labels[self.count : self.count + size]
            self.count += size
            if hasattr(y, "shape"):
                y = ops.convert_to_numpy(y)[: len(labels)]
                self.in_order &= _agrees(y, labels)
            yield (inputs,)
            # A data set that repeats never ends.
            if self.count > len(self.labels) or not self.in_order:
                return


def _agrees(y: np.ndarray, labels: np.ndarray) -> bool:
    """Whether integer or one-hot labels, or those with index, are these."""
    if y.ndim == 1:
        return np.array_equal(y, labels)
    return y.ndim == 2 and (
        np.array_equal(y[:, 0], labels)
        or np.array_equal(y.argmax(axis=1), labels)
    )
