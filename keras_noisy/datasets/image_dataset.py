"""Images and labels for `fit` without TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_noisy.datasets._epochs import Epochs
from keras_noisy.datasets._images import Images
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._samples import samples


class ImageDataset(Epochs):
    """Batches of images and labels without TensorFlow, with Pillow and NumPy.

    It decodes, resizes, augments as the papers do, standardizes and shuffles.
    The recipe is that of `pipeline`, but the random numbers differ. Pillow
    (`pip install pillow`) is needed to read files and to resize. Files are
    decoded in `workers` threads: pass the number of cores. Build the model
    before the first `predict`: with several workers, Keras builds it from the
    first batch of a `PyDataset` and then drops that batch.

    Training drops the samples of the last incomplete batch, which are different
    ones in each epoch. Evaluation keeps all samples, in order; its last batch
    may be smaller. Everything random in a batch follows from `seed`, the
    epoch and the number of the batch, for any number of workers. `fit` also
    shuffles the order of the batches with Python's random numbers: pass
    `shuffle=False`, or call `keras.utils.set_random_seed` first. A run is
    reproducible with the same number of workers, if `fit` trains whole epochs
    and not `steps_per_epoch`. To continue after a restart of the process,
    pass the `start` of a `keras_noisy.callbacks.Resume`.

    In several processes with JAX, give each one its `shard`.

    Args:
        dataset: One of

            - arrays, lists or columns of tables `(images, labels)`: images
              uint8 of shape `(N, H, W)` or `(N, H, W, C)`, or paths of files;
              labels `(N,)`, `(N, 1)` or `(N, k)`, which pass unchanged, except
              that booleans become integers.
            - a folder of one folder for each class, a CSV file or a table of
              paths and labels, see `ImageFiles.from_directory` and
              `ImageFiles.from_table`.
            - an object with `files` and `labels`, such as an `ImageFiles` or
              a `WebVisionFolder`. Its `check` finds files that cannot be read.

        batch_size: Number of images in a batch. Defaults to `128`.
        image_size: Height and width of the output images, an integer for
            both. Defaults to `None`: 224 for `"webvision"`, or else the size of
            the images, if they all have the same.
        augment: `None`, images in [0, 1]; `"cifar"`, `"cifar100"` or
            `"webvision"`, see `pipeline`; or a preprocessing layer of Keras
            or a function that changes a batch of images in [0, 255] in
            training and keeps their shape; they are scaled to [0, 1] after it.
            A seed of its own makes a run reproducible only with one worker.
            Defaults to `None`.
        training: Whether to shuffle and to augment at random. Defaults to
            `False`.
        seed: Seed of everything random, an integer of at least 0. Defaults to
            `0`.
        shard: `(index, count)` of this process among all. It takes every
            count-th sample, and in training every process has the same number
            of batches. Defaults to `None`, all samples.
        workers: Number of threads or processes. Defaults to `1`.
        use_multiprocessing: Whether the workers are processes. Threads are as
            good here, and safe with every backend. Defaults to `False`.
        max_queue_size: Number of batches to read ahead, with several workers.
            Defaults to `10`.
        start: `(epoch, batch)`, counted from 0, to begin with: until
            `on_epoch_end` the batches are the rest of that epoch. In `fit`,
            pass the `start` of a `keras_noisy.callbacks.Resume`, because Keras
            ends an epoch before it trains. Use one worker: the first epoch
            begins with batches that several have read too early. Defaults to
            `(0, 0)`.
        sample_weight: Relative frequency of each sample in training. An epoch
            then has as many samples as without, drawn with replacement by
            these weights, instead of each sample once. Numbers of at least 0,
            of shape `(N,)`, such as
            `sample_weights(labels, class_weights(labels))`. The loss does not
            see them. Defaults to `None`.
        mix: `None`, `"mixup"` or `"cutmix"`, see `pipeline`; or a function of
            images, soft labels and a seed of two integers, all NumPy arrays,
            that returns images and soft labels in the same shapes. Draw from
            the seed to be reproducible. Mixed labels are soft, float32 of
            shape `(batch, num_classes)`. Defaults to `None`.
        num_classes: Number of classes of mixed labels. Defaults to `None`, one
            more than the largest label.

    Returns:
        A `keras.utils.PyDataset` of batches `(images, labels)`, images float32
        of shape `(batch, height, width, channels)`.

    Raises:
        ValueError: If an argument is outside its range, there are too few
            samples for a batch, or an integer label does not fit in 32 bits;
            while reading, if a file is broken, with its name.
        OSError: While reading, if a file is missing, with its name.
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
        #: The paths of the files, in order, or None for arrays.
        self.paths = found.images if found.are_files else None
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
