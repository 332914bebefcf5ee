"""Images and labels for `fit` without TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_noisy.datasets._epochs import Epochs
from keras_noisy.datasets._images import Images
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._samples import samples


class ImageDataset(Epochs):
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
        mix: Whether each image of a training batch is mixed with another one
            of it, and its label too; the labels are then soft, float32 of
            shape `(batch, num_classes)`. Defaults to `None`. Otherwise

            - `"mixup"`: a mean of both images; the share of the first is
              uniform in [0, 1], for each image.
            - `"cutmix"`: a box of the other image, at a random place and of
              a uniform share of the area, cut off at the edges.
            - a function of images, soft labels and a seed of two integers,
              all arrays of NumPy, that returns images and soft labels
              in the same shapes. What it draws from the seed is the same
              again.

        num_classes: Number of classes of labels that are mixed. Defaults to
            `None`, one more than the largest label.

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
        - Zhang et al., mixup: beyond empirical risk minimization, ICLR 2018,
          arXiv 1710.09412
        - Yun et al., CutMix: regularization strategy to train strong
          classifiers with localizable features, ICCV 2019, arXiv 1905.04899
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
        mix: str | Callable[..., Any] | None = None,
        num_classes: int | None = None,
    ):
        reader = Reader(
            batch_size,
            image_size,
            augment,
            training,
            seed,
            shard,
            start,
            sample_weight,
            mix,
            num_classes,
        )
        found = samples(dataset)
        self._images = Images(found.images, reader)
        self._labels = found.labels
        self._mix = reader.mixer(found.labels)
        super().__init__(
            reader,
            len(found.labels),
            workers,
            use_multiprocessing,
            max_queue_size,
        )

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels of a batch of this epoch."""
        epoch, number, chosen = self._chosen(index)
        random = None
        if self._reader.training:
            random = self._reader.random(epoch, 1, number)
        images = self._images.batch(chosen, random)
        labels = self._labels[chosen]
        if self._mix is None:
            return images, labels
        random = self._reader.random(epoch, 3, number)
        return self._mix.in_numpy(images, labels, random)
