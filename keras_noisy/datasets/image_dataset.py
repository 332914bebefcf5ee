"""Images and labels for `fit` without TensorFlow."""

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._pillow import pillow
from keras_noisy.datasets import _arrays, _augmentation
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._samples import samples

# A layer of the user's may have a state, which threads must not share.
_ONE_AT_A_TIME = threading.Lock()


class ImageDataset(keras.utils.PyDataset):
    """Batches of images and labels without TensorFlow, by Pillow and NumPy.

    Decodes, resizes, augments as the papers do, standardizes and shuffles, as
    `pipeline` does and by the same recipe, but draws other random numbers.
    Pillow (`pip install pillow`) is needed for files and to resize. Files are
    decoded in as many threads as there are `workers`: give it the number of
    cores. Before the first `predict` build the model: with several workers
    Keras builds it from the first batch and then forgets that batch, of every
    `PyDataset`.

    Training drops the last samples that make no whole batch, which are others
    in each epoch; evaluation has all of them, in order, in a last batch that
    may be smaller. Everything random in a batch follows from `seed`, the
    epoch and the number of the batch, whatever the workers. `fit` also mixes
    the order of the batches, by Python's random numbers: pass
    `shuffle=False`, or call `keras.utils.set_random_seed` before. A run is
    the same again with the same number of workers, and with `fit` over whole
    epochs, not `steps_per_epoch`. To go on after a restart of the process
    give the `start` of a `keras_noisy.callbacks.Resume`.

    In several processes with JAX give each one its `shard`.

    Args:
        dataset: One of

            - arrays, lists or columns of tables `(images, labels)`: images
              uint8 of shape `(N, H, W)` or `(N, H, W, C)`, or paths of files;
              labels `(N,)`, `(N, 1)` or `(N, k)`, which pass unchanged, but
              that booleans become integers.
            - a folder of one folder for each class, a CSV file or a table of
              paths and labels, see `ImageFiles.from_directory` and
              `ImageFiles.from_table`.
            - an object with `files` and `labels`, such as an `ImageFiles` or
              a `WebVisionFolder`. Its `check` finds files that cannot be read.

        batch_size: Number of images in a batch. Defaults to `128`.
        image_size: Height and width of the images that come out, an integer
            for both. Defaults to `None`: 224 for `"webvision"`, or else that
            of the images, if they all have one.
        augment: `None`, images in [0, 1]; `"cifar"`, `"cifar100"` or
            `"webvision"`, see `pipeline`; or a preprocessing layer of Keras,
            or a function, that changes a batch of images in [0, 255] in
            training and keeps their shape, scaled to [0, 1] after it. Its
            own seed gives the same run again with one worker only. Defaults
            to `None`.
        training: Whether to shuffle and to augment at random. Defaults to
            `False`.
        seed: An integer of at least 0 that everything random follows from.
            Defaults to `0`.
        shard: `(index, count)` of this process among all. It takes every
            count-th sample, and in training every process has the same number
            of batches. Defaults to `None`, all samples.
        workers: Number of threads or processes. Defaults to `1`.
        use_multiprocessing: Whether the workers are processes. Threads do as
            well here, and are safe with every backend. Defaults to `False`.
        max_queue_size: Number of batches to read ahead, with several workers.
            Defaults to `10`.
        start: `(epoch, batch)`, counted from 0, to begin with: until
            `on_epoch_end` the batches are the rest of that epoch. In `fit`
            give the `start` of a `keras_noisy.callbacks.Resume`, as Keras
            ends an epoch before it trains, and one worker: the first epoch
            begins with what several have read before. Defaults to `(0, 0)`.
        sample_weight: How often each sample comes in training, relative to
            others: an epoch then has as many samples as before, drawn by
            these weights with replacement, in place of every one once.
            Numbers of at least 0 of shape `(N,)`, such as
            `sample_weights(labels, class_weights(labels))`. The loss does not
            see them. Defaults to `None`.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, images float32
        of shape `(batch, height, width, channels)`.

    Raises:
        ValueError: If an argument is outside its range, there are no samples
            for a batch, or an integer label is outside 32 bits; when a file
            is read that is broken, with its name.
        OSError: When a file is read that is missing, with its name.
        ImportError: If Pillow is needed and not installed.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.datasets import ImageDataset
    >>> images = np.zeros((100, 32, 32, 3), "uint8")
    >>> labels = np.arange(100) % 10
    >>> train = ImageDataset(
    ...     (images, labels), 16, augment="cifar", training=True, workers=4
    ... )
    >>> len(train), train[0][0].shape, train[0][1].shape
    (6, (16, 32, 32, 3), (16,))

    References:
        - He et al., Deep residual learning for image recognition, CVPR 2016,
          arXiv 1512.03385
        - Szegedy et al., Going deeper with convolutions, CVPR 2015,
          arXiv 1409.4842
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 128,
        image_size: int | tuple[int, int] | None = None,
        augment: str | Callable[[Any], Any] | None = None,
        training: bool = False,
        seed: int = 0,
        shard: tuple[int, int] | None = None,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        start: tuple[int, int] = (0, 0),
        sample_weight: Any = None,
    ):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        self._reader = Reader(
            batch_size,
            image_size,
            augment,
            training,
            seed,
            shard,
            start,
            sample_weight,
        )
        self._samples = samples(dataset)
        images = self._samples.images
        shape = images.shape[1:] or (None, None, 3)
        self._size = self._reader.size(shape)
        self._prepares = shape[:2] != self._size or augment == "webvision"
        self._num_batches = self._reader.num_batches(len(images))
        if self._prepares:
            pillow()
            if shape[2] not in (1, 3):
                raise ValueError(
                    "Expected images of 1 or 3 channels, as others cannot be "
                    f"resized here. Received: images with {shape[2]}"
                )
        if self._reader.is_resumed and (workers > 1 or use_multiprocessing):
            raise invalid(
                "workers",
                workers,
                "0 or 1, and no processes, with the `start` of a `Resume`, as "
                "Keras mixes what several have read before training into the "
                "first epoch. "
                "`pipeline` reads in parallel",
            )
        self._iteration = 0
        self._order: tuple[int | None, Any] = None, None

    def __len__(self) -> int:
        """Number of batches of an epoch, or of the rest of it."""
        return self._num_batches - self._reader.place(self._iteration)[1]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels of a batch of this epoch."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"Expected a batch from 0 to {len(self) - 1}. Received: {index}"
            )
        reader, size = self._reader, self._size
        epoch, first = reader.place(self._iteration)
        order_of, order = self._order
        if order_of != epoch:
            order = reader.order(len(self._samples.images), epoch)
            self._order = epoch, order
        index += first
        start = index * reader.batch_size
        chosen = order[start : start + reader.batch_size]
        draws = None
        if reader.training:
            random = reader.random(epoch, 1, index)
            draws = random.uniform(len(chosen) * _arrays.DRAWS)
            draws = draws.reshape(len(chosen), _arrays.DRAWS)
        images = self._samples.images[chosen]
        if self._prepares:
            each = [None] * len(chosen) if draws is None else draws
            images = np.stack(
                [
                    _arrays.prepared(image, size, reader.augment, numbers)
                    for image, numbers in zip(images, each, strict=True)
                ]
            )
        if draws is not None and reader.is_preset:
            images = _arrays.augmented(images, reader.augment, draws)
        images = images.astype("float32")
        if draws is not None and callable(reader.augment):
            with _ONE_AT_A_TIME:
                changed = _augmentation.applied(images, reader.augment)
                images = np.array(
                    keras.ops.convert_to_numpy(changed), "float32"
                )
        scale, offset = _augmentation.scale_and_offset(reader.augment)
        images *= scale / 255
        images += offset
        return images, self._samples.labels[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle anew, and draw other crops."""
        self._iteration += 1
