"""The samples of an epoch, one by one, as a tf.data.Dataset."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._label_arrays import HIGHEST, LOWEST
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._samples import (
    advice_for_parts,
    check_images,
    samples,
)

#: Size of the shuffle buffer if not all images fit.
BUFFER_BYTES = 2**28
#: Assumed size of an encoded image, and of an unknown side.
TYPICAL_BYTES, TYPICAL_SIDE = 20_000, 256


_ADVICE = (
    "Images of floats become uint8 by `tf.cast(tf.round(image), tf.uint8)` in "
    "`dataset.map` where they are from 0 to 255, and by `tf.cast(tf.round(255 "
    "* image), tf.uint8)` where they are from 0 to 1"
)


class Source(NamedTuple):
    """Samples in the order of each epoch."""

    elements: Any
    #: Returns the image and label of an element, or of a batch of them.
    take: Callable[[Any], tuple[Any, Any]]
    #: Shape of an image, None in an axis that is not known.
    shape: tuple[int | None, ...]
    #: Number of all samples, below 0 if it is not known.
    count: int  # type: ignore[assignment] # Its length is not used.
    are_files: bool = False
    #: All labels, if they are known before reading.
    labels: np.ndarray | None = None


def source(tf: Any, dataset: Any, reader: Reader) -> Source:
    """The samples of a dataset of any kind."""
    if isinstance(dataset, tf.data.Dataset):
        return _of_dataset(tf, dataset, reader)
    given = samples(dataset)
    count, numbers = len(given.images), itertools.count()
    end = reader.num_batches(count) * reader.batch_size
    with tf.device("CPU:0"):
        images, labels = given
        if given.are_files:  # a name need not be UTF-8
            images = np.char.encode(images, "utf-8", "surrogateescape")
        images, labels = map(tf.convert_to_tensor, (images, labels))

    def order() -> Iterator[np.ndarray]:
        epoch, batch = reader.start.of_iteration(next(numbers))
        yield reader.order(count, epoch)[batch * reader.batch_size : end]

    signature = tf.TensorSpec((None,), tf.int64)
    elements = tf.data.Dataset.from_generator(order, output_signature=signature)
    return Source(
        elements.unbatch(),
        lambda index: (tf.gather(images, index), tf.gather(labels, index)),
        given.images.shape[1:] or (None, None, 3),
        count,
        given.are_files,
        given.labels,
    )


def _check_reader(reader: Reader) -> None:
    """Refuse what needs the number of each sample."""
    if reader.is_resumed or reader.start != (0, 0):
        raise ValueError(
            "Invalid value for argument `start`. Expected (0, 0) for a "
            "tf.data.Dataset, whose order in a later epoch cannot be "
            "reproduced. Give arrays or the paths of files to start there. "
            f"Received: start={reader.start}"
        )
    if reader.sample_weight is not None:
        raise ValueError(
            "Invalid value for argument `sample_weight`. Expected None for a "
            "tf.data.Dataset, whose samples have no number. Give arrays or "
            "the paths of files to draw by weight"
        )


def _of_dataset(tf: Any, dataset: Any, reader: Reader) -> Source:
    _check_reader(reader)
    spec = dataset.element_spec
    if isinstance(spec, dict) and {"image", "label"} <= set(spec):
        dataset = dataset.map(lambda x: (x["image"], x["label"]))
    elif not isinstance(spec, tuple) or len(spec) != 2:
        raise invalid(
            "dataset",
            spec,
            'elements (image, label), or dictionaries with "image" and "label"'
            + advice_for_parts(spec),
        )
    image, label = dataset.element_spec
    _check_elements(tf, image, label)
    dataset = dataset.map(lambda x, y: (x, _safe_label(tf, y)))
    shape, size = (None, None, 3), TYPICAL_BYTES
    if image.dtype != tf.string:
        if image.dtype == tf.uint8 and image.shape.rank == 2:
            dataset = dataset.map(lambda x, y: (x[..., None], y))
            image = dataset.element_spec[0]
        shape = tuple(image.shape)
        check_images(np.dtype(image.dtype.as_numpy_dtype), shape, _ADVICE)
        size = math.prod(n or TYPICAL_SIDE for n in shape[:2]) * 3
    count = int(dataset.cardinality())
    if reader.count > 1 and reader.training and count < 0:
        raise ValueError(
            "Expected a dataset whose cardinality is known, so that every "
            "process has the same number of batches. Received: one of unknown "
            "or infinite cardinality. Apply "
            "tf.data.experimental.assert_cardinality(number of samples) to it"
        )
    elements = dataset.shard(reader.count, reader.index)
    if reader.training:
        buffer = max(int(BUFFER_BYTES // size), 1)
        elements = elements.shuffle(buffer, seed=reader.seed)
    return Source(elements, tuple, shape, count)


def _check_elements(tf: Any, image: Any, label: Any) -> None:
    """Refuse batches of images, and labels that are not numbers."""
    if not all(isinstance(spec, tf.TensorSpec) for spec in (image, label)):
        raise invalid(
            "dataset",
            (image, label),
            "one image and one label, both dense tensors, in each element",
        )
    rank, of_label = image.shape.rank, label.shape.rank
    many = (1, 2) if image.dtype == tf.string else (4, 5)
    # A batch of gray images has no axis of channels.
    gray = rank == 3 and of_label == 1 and (image.shape[-1] or 0) > 4
    if rank in many or gray:
        raise ValueError(
            "Invalid value for argument `dataset`. Expected single images, "
            "encoded or uint8. Received: batches, of images of dtype "
            f"{image.dtype.name} and shape {tuple(image.shape)}. Apply "
            "`.unbatch()` to the dataset"
            + f". {_ADVICE}"
            * image.dtype.is_floating
        )
    if rank is None:
        raise ValueError(
            "Invalid value for argument `dataset`. Expected images of shape "
            "(height, width, channels). Received: images of unknown rank. Set "
            "it by `tf.ensure_shape(image, (None, None, 3))` in `dataset.map`, "
            "or `()` for encoded images"
        )
    if image.dtype == tf.string and rank != 0:
        raise invalid("dataset", image, "one encoded image in each element")
    if label.dtype == tf.string:
        raise ValueError(
            "Invalid value for argument `dataset`. Expected numbers as labels. "
            "Received: labels that are text. Number the names of classes by a "
            "`keras.layers.StringLookup(num_oov_indices=0)` in `dataset.map`"
        )


def _safe_label(tf: Any, label: Any) -> Any:
    """Labels as integers that JAX does not wrap around to another class."""
    if label.dtype == tf.bool:
        return tf.cast(label, tf.int64)
    if label.dtype in (tf.int64, tf.uint32, tf.uint64):
        label = tf.minimum(label, tf.constant(HIGHEST, label.dtype))
    if label.dtype == tf.int64:
        label = tf.maximum(label, tf.constant(LOWEST, label.dtype))
    return label


def keys(tf: Any, reader: Reader) -> Any:
    """A seed for each sample, so that no draw depends on what ran before."""
    numbers = itertools.count()

    def draw() -> Iterator[np.ndarray]:
        epoch, batch = reader.start.of_iteration(next(numbers))
        random = reader.random(epoch, 1)
        random.uniform(2 * batch * reader.batch_size)  # Skip earlier ones.
        while True:
            yield (2**31 * random.uniform(2048)).astype("int32").reshape(-1, 2)

    signature = tf.TensorSpec((1024, 2), tf.int32)
    dataset = tf.data.Dataset.from_generator(draw, output_signature=signature)
    return dataset.unbatch()
