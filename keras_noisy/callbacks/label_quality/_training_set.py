"""Training samples and their labels, in all forms that users pass."""

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._containers import (
    are_arrays,
    as_array,
    as_paths,
    batches_of,
    in_parts,
)
from keras_noisy._elements import Elements
from keras_noisy._given import check_length, without_index
from keras_noisy.callbacks.label_quality._statistics import Part
from keras_noisy.datasets import ImageDataset
from keras_noisy.distribution import divisible

#: Number of labels whose predictions are in memory at once.
SAMPLES = 8192


def samples(
    x: Any, elements: Elements, batch_size: int, image_size: Any
) -> Any:
    """`x` with tables as arrays; an error if it lacks some samples."""
    count = len(elements.given)
    files = _files(x)
    if image_size is not None:
        if files is None:
            raise invalid(
                "image_size", image_size, "None, as `x` lists no files"
            )
        check_length("x", len(files), count)
        pair = files, elements.given
        return ImageDataset(pair, batch_size, image_size=image_size)
    text_is_input = keras.backend.backend() == "tensorflow"
    if files is not None and not (are_arrays(x) and text_is_input):
        raise ValueError(
            "Invalid value for argument `image_size`. Expected height and "
            "width, as `x` lists files; texts must be numbered first, as by "
            "`TextVectorization`; or in place of `x` "
            "`ImageDataset(x, batch_size, image_size=...)`, or the data set "
            "that is trained on, not shuffled. Received: image_size=None"
        )
    if are_arrays(x):
        x = keras.tree.map_structure(without_index, x)
        for array in keras.tree.flatten(x):
            check_length("x", array.shape[0] if array.shape else 0, count)
    elif isinstance(x, list | tuple | dict | Iterator):
        raise invalid("x", type(x), "arrays, or a data set to read repeatedly")
    return x


def pictures_in(x: Any, elements: Elements, image_size: Any) -> Any:
    """The images or files that `x` holds, or None."""
    if image_size is not None:
        return getattr(x, "files", x)
    are_tokens = elements.given.ndim == 2 and not elements.multi_label
    # Tokens may be vectors, which are not pictures.
    axes = 3 if are_tokens else 2
    return x if len(getattr(x, "shape", ())) > axes else None


def _files(x: Any) -> np.ndarray | None:
    """The paths that `x` lists, or None."""
    if isinstance(x, keras.utils.PyDataset | dict):
        return None
    if hasattr(x, "files"):
        files = as_array("x", x.files)
        paths = as_paths(files)
        return files if paths is None else paths
    is_column = isinstance(x, list | tuple) or len(getattr(x, "shape", ())) == 1
    return as_paths(as_array("x", x)) if is_column and len(x) else None


def predict(
    model: keras.Model, x: Any, elements: Elements, batch_size: int
) -> Iterator[Any]:
    """Predict as `model.predict` does, some samples at a time.

    Raises an error if it is not known which samples `x` gives.
    """
    count = len(elements.given)
    at_once = max(1, SAMPLES // elements.each)
    if are_arrays(x):
        size = -(-at_once // batch_size) * batch_size
        for part in in_parts(x, size, count):
            yield divisible.predict(model, part, batch_size)
        return
    batches = _Batches(x, elements)
    left = iter(batches)
    for first in left:
        size = max(1, len(keras.tree.flatten(first)[0]))
        more = itertools.islice(left, -(-at_once // size) - 1)
        # Keras takes a generator as a data set, but no other iterator.
        together = (batch for batch in itertools.chain([first], more))
        with warnings.catch_warnings():
            # Keras warns whenever an iterator ends.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            found = model.predict(together, verbose=0)
        found = batches.without_padding(found)
        if batches.in_order and batches.count <= count:
            yield Part(found, batches.since_last())
    if not batches.in_order:
        raise invalid(
            "x",
            x,
            "samples in the order of `y`, the same in every epoch; their "
            "labels differ from `y`. Pass a data set that does not shuffle, "
            "or gives the labels of `keras_noisy.losses.with_index`, and no "
            "augmentation that mixes samples",
        )
    if batches.count != count:
        more_than = "more" if batches.count > count else batches.count
        raise invalid(
            "x",
            x,
            f"as many samples as `y` has labels, {count}, in every "
            f"epoch, but it gives {more_than}. Pass a data set that keeps the "
            "last batch, is finite and can be read again",
        )
    if not batches.has_each_once():
        expected = "each sample once; some indices come twice and others never"
        raise invalid("x", x, expected)


class _Batches:
    """The inputs of a data set, and the indices of its samples.

    A data set that shuffles raises no error in `predict`; it would give the
    scores of other samples. Its labels show whether it shuffles, and an index
    next to them shows the order of the samples.
    """

    def __init__(self, x: Any, elements: Elements):
        self.x = x
        self.labels = elements.given
        self.ignore_class = elements.ignore_class
        self.count = 0
        self.in_order = True
        # Clean labels pass for an index where a batch has few samples.
        self._may_have_index = True
        self._samples: list[np.ndarray] = []
        #: Sizes of the batches since the last call, and what they lacked.
        self._sizes: list[tuple[int, int]] = []
        self._yielded = 0

    def __iter__(self) -> Iterator[tuple[Any]]:
        for inputs, y in batches_of("x", self.x):
            size = len(keras.tree.flatten(inputs)[0])
            labels = self.labels[self.count : self.count + size]
            samples = np.arange(self.count, self.count + len(labels))
            self.count += size
            if hasattr(y, "shape"):
                y = np.asarray(ops.convert_to_numpy(y))
                y = y[: len(labels)]
                self._may_have_index &= _has_index(y, self.labels)
                if self._may_have_index:
                    samples = y[:, 1].astype("int64")
                else:
                    self.in_order &= _agrees(y, labels, self.ignore_class)
            self._samples.append(samples)
            more = divisible.missing(size)
            self._sizes.append((size, more))
            yield (divisible.padded(inputs, more),)
            # A data set that repeats never ends.
            if self.count > len(self.labels) or not self.in_order:
                return

    def without_padding(self, found: Any) -> Any:
        """Predictions since the last call, of the samples alone."""
        sizes, self._sizes = self._sizes, []
        if not any(more for _, more in sizes):
            return found
        kept = np.concatenate([np.arange(n + m) < n for n, m in sizes])
        return keras.tree.map_structure(lambda y: y[kept], found)

    def since_last(self) -> np.ndarray:
        """The samples since the last call."""
        found = np.concatenate(self._samples[self._yielded :])
        self._yielded = len(self._samples)
        return found

    def has_each_once(self) -> bool:
        """Whether every sample came once."""
        found = np.sort(np.concatenate(self._samples))
        return np.array_equal(found, np.arange(len(self.labels)))


def _has_index(y: np.ndarray, labels: np.ndarray) -> bool:
    """Whether these are labels with the index of their sample."""
    if labels.ndim > 1 or y.shape[1:] != (2,) or y.dtype.kind not in "iu":
        return False
    given, index = y.T
    is_index = np.all((index >= 0) & (index < len(labels)))
    return bool(is_index) and np.array_equal(labels[index], given)


def _agrees(
    y: np.ndarray, labels: np.ndarray, ignore_class: int | None
) -> bool:
    """Whether `y`, integer, one-hot or with an index, has these labels."""
    forms = [y]
    if y.ndim == labels.ndim + 1:
        forms = [y[..., 0], y.argmax(axis=-1)]
    # An ignored label may have no one-hot row.
    scored = np.ones(labels.shape, bool)
    if ignore_class is not None:
        scored = labels != ignore_class
    return any(
        of.shape == labels.shape and np.array_equal(of[scored], labels[scored])
        for of in forms
    )
