"""The samples of an epoch, one by one, as a tf.data.Dataset."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy.datasets._reader import Reader, check_images, samples

#: Of images that wait to be shuffled, where all of them cannot.
BUFFER_BYTES = 2**28
#: An encoded image, and a side of an image, whose size is not known.
TYPICAL_BYTES, TYPICAL_SIDE = 20_000, 256


class Source(NamedTuple):
    """Samples in the order of each epoch."""

    elements: Any
    #: The image and label of an element, or of a batch of them.
    take: Callable[[Any], tuple[Any, Any]]
    #: Of an image, None where it is not known.
    shape: tuple[int | None, ...]
    #: Of all samples, below 0 where it is not known.
    count: int
    are_files: bool = False


def source(tf: Any, dataset: Any, reader: Reader) -> Source:
    """The samples of a dataset of any kind."""
    if isinstance(dataset, tf.data.Dataset):
        return _of_dataset(tf, dataset, reader)
    given = samples(dataset)
    count, numbers = len(given.images), itertools.count()
    end = reader.num_batches(count) * reader.batch_size
    with tf.device("CPU:0"):
        images, labels = map(tf.convert_to_tensor, given)

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
    )


def _of_dataset(tf: Any, dataset: Any, reader: Reader) -> Source:
    if reader.is_resumed or reader.start != (0, 0):
        raise ValueError(
            "Invalid value for argument `start`. Expected (0, 0) for a "
            "tf.data.Dataset, whose order in a later epoch cannot be had "
            "again. Give arrays or the paths of files to start there. "
            f"Received: start={reader.start}"
        )
    spec = dataset.element_spec
    if isinstance(spec, dict) and {"image", "label"} <= set(spec):
        dataset = dataset.map(lambda x: (x["image"], x["label"]))
    elif not isinstance(spec, tuple) or len(spec) != 2:
        raise invalid(
            "dataset",
            spec,
            'elements (image, label), or dictionaries with "image" and "label"',
        )
    image = dataset.element_spec[0]
    shape, size = (None, None, 3), TYPICAL_BYTES
    if image.dtype != tf.string or image.shape.rank != 0:
        if image.dtype == tf.uint8 and image.shape.rank == 2:
            dataset = dataset.map(lambda x, y: (x[..., None], y))
            image = dataset.element_spec[0]
        rank = image.shape.rank
        shape = () if rank is None else tuple(image.shape)
        check_images(image.dtype.as_numpy_dtype, shape, rank)
        size = np.prod([n or TYPICAL_SIDE for n in shape[:2]]) * 3
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


def keys(tf: Any, reader: Reader) -> Any:
    """A seed for each sample, so that no draw depends on what ran before."""
    numbers = itertools.count()

    def draw() -> Iterator[np.ndarray]:
        epoch, batch = reader.start.of_iteration(next(numbers))
        random = reader.random(epoch, 1)
        random.uniform(2 * batch * reader.batch_size)  # Of what is skipped.
        while True:
            yield (2**31 * random.uniform(2048)).astype("int32").reshape(-1, 2)

    signature = tf.TensorSpec((1024, 2), tf.int32)
    dataset = tf.data.Dataset.from_generator(draw, output_signature=signature)
    return dataset.unbatch()
