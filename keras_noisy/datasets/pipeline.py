"""Images and labels as a tf.data pipeline, for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_noisy.datasets import _graph
from keras_noisy.datasets._elements import keys, source
from keras_noisy.datasets._reader import Reader

if TYPE_CHECKING:
    import tensorflow as tf


def pipeline(
    dataset: Any,
    batch_size: int = 128,
    image_size: int | tuple[int, int] | None = None,
    augment: str | Callable[[Any], Any] | None = None,
    training: bool = False,
    seed: int = 0,
    shard: tuple[int, int] | None = None,
    start: tuple[int, int] = (0, 0),
    sample_weight: Any = None,
    mix: str | Callable[..., Any] | None = None,
    num_classes: int | None = None,
) -> tf.data.Dataset:
    """Batches of images and labels, ready for `fit` and `evaluate`.

    Decodes, resizes, augments as the papers do, standardizes, shuffles and
    reads ahead, in TensorFlow, for a model on any backend. `ImageDataset` does
    the same without TensorFlow. Needs `pip install tensorflow pillow`.
    TensorFlow decodes JPEGs and Pillow all other files, so that both readers
    see the same pictures: the first frame or page, without transparency. Under
    JAX or PyTorch on a GPU call `tf.config.set_visible_devices([], "GPU")`
    first, or TensorFlow takes its memory. Pass `shuffle=False` to `fit`: the
    samples are shuffled here, and Keras warns otherwise.

    Training drops the last samples that make no whole batch, which are others
    in each epoch; evaluation has all of them, in order, in a last batch that
    may be smaller. Each iteration is an epoch of its own, with another order
    and other crops. Everything random follows from `seed` and the number of
    the epoch, whatever the number of cores; only a `tf.data.Dataset` is
    shuffled by TensorFlow, where `keras.utils.set_random_seed` counts too.
    To go on after a restart of the process give the `start` of a
    `keras_noisy.callbacks.Resume`.

    In several processes with JAX give each one its `shard`, and train with
    `keras.distribution.DataParallel(auto_shard_dataset=False)`, which needs
    batches, the last of evaluation too, that the number of devices divides.
    TensorFlow's `MultiWorkerMirroredStrategy` shards by itself.

    Args:
        dataset: One of

            - arrays, lists or columns of tables `(images, labels)`: images
              uint8 of shape `(N, H, W)` or `(N, H, W, C)`, or paths of files;
              labels `(N,)`, `(N, 1)` or `(N, k)`, which pass unchanged, except
              booleans, which become integers.
            - a folder of one folder for each class, a CSV file or a table of
              paths and labels, see `ImageFiles.from_directory` and
              `ImageFiles.from_table`.
            - an object with `files` and `labels`, such as an `ImageFiles` or
              a `WebVisionFolder`. Its `check` finds files that cannot be read.
            - a `tf.data.Dataset` of single pairs, or of dictionaries with
              `"image"` and `"label"` as TFDS gives them, the image uint8 or
              an encoded string. It is shuffled in a buffer of 256 MB: all of
              CIFAR, 1,300 photographs or 13,000 encoded ones. Labels that 32
              bits do not hold, such as a missing one that was cast, become
              the nearest that they do hold, which is no class either.

        batch_size: Number of images in a batch. Defaults to `128`.
        image_size: Height and width of the images that come out, an integer
            for both. Defaults to `None`: 224 for `"webvision"`, or else that
            of the images, if they all have one.
        augment: Defaults to `None`, images in [0, 1]. Otherwise

            - `"cifar"`: padded by 4 pixels and cropped at random, flipped, and
              standardized by the mean and standard deviation of CIFAR-10;
              `"cifar100"` by those of CIFAR-100.
            - `"webvision"`: a box of 8 to 100 % of the area and a ratio of 3/4
              to 4/3, flipped, colors jittered (brightness, contrast and
              saturation by 0.4, hue by 0.2; the brightness is added), and
              standardized as ImageNet. Evaluation takes the center, 224 of
              256 parts of the shorter side.
            - a preprocessing layer of Keras, or a function, that changes a
              batch of images in [0, 255] in training and keeps their shape;
              they are scaled to [0, 1] after it. It needs a seed of its own.

        training: Whether to shuffle and to augment at random. Defaults to
            `False`.
        seed: An integer of at least 0 that everything random follows from.
            Defaults to `0`.
        shard: `(index, count)` of this process among all. It takes every
            count-th sample, and in training every process has the same number
            of batches. On JAX `(jax.process_index(), jax.process_count())`.
            Defaults to `None`, all samples.
        start: `(epoch, batch)`, counted from 0, to begin with: the first
            iteration is the rest of that epoch, though `len` is that of a
            whole one, and those after it are the following epochs. What is
            before it is not decoded. In `fit` give the `start` of a
            `keras_noisy.callbacks.Resume`, as Keras looks at a first batch
            before it trains. Not for a `tf.data.Dataset`. Defaults to
            `(0, 0)`.
        sample_weight: How often each sample comes in training, relative to
            others: an epoch then has as many samples as before, drawn by
            these weights with replacement, in place of every one once.
            Numbers of at least 0 of shape `(N,)`, such as
            `sample_weights(labels, class_weights(labels))`. The loss does not
            see them. Not for a `tf.data.Dataset`.
            Defaults to `None`.
        mix: Whether each image of a training batch is mixed with another one
            of it, and its label too; the labels are then soft, float32 of
            shape `(batch, num_classes)`. Defaults to `None`. Otherwise

            - `"mixup"`: a mean of both images; the share of the first is
              uniform in [0, 1], for each image.
            - `"cutmix"`: a box of the other image, at a random place and of
              a uniform share of the area, cut off at the edges.
            - a function of images, soft labels and a seed of two integers,
              all tensors of TensorFlow, that returns images and soft labels
              in the same shapes. What it draws from the seed is the same
              again.

        num_classes: Number of classes of labels that are mixed. Defaults to
            `None`, one more than the largest label; a `tf.data.Dataset` needs
            it.

    Returns:
        A `tf.data.Dataset` of batches `(images, labels)`, images float32 of
        shape `(batch, height, width, channels)`.

    Raises:
        ValueError: If an argument is outside its range, there are no samples
            for a batch, or an integer label is outside 32 bits.
        ImportError: If TensorFlow is not installed.
        tf.errors.OpError: When a file is read that is broken or missing. It
            names the file.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.datasets import pipeline
    >>> images = np.zeros((100, 32, 32, 3), "uint8")
    >>> labels = np.arange(100) % 10
    >>> train = pipeline((images, labels), 16, augment="cifar", training=True)
    >>> len(train)
    6
    >>> train = pipeline((images, labels), 16, training=True, mix="mixup")
    >>> for images, labels in train.take(1):
    ...     print(images.shape, labels.shape)
    (16, 32, 32, 3) (16, 10)

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
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "pipeline needs TensorFlow: pip install tensorflow pillow. "
            "keras_noisy.datasets.ImageDataset does the same without"
        ) from error
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
    given = source(tf, dataset, reader)
    size = reader.size(given.shape)
    batches = reader.num_batches(given.count) if given.count >= 0 else None
    finish = _graph.finish(tf, reader, size, reader.mixer(given.labels))

    result = tf.data.Dataset.zip(given.elements, keys(tf, reader))
    take = given.take
    if given.shape[:2] != size or augment == "webvision":
        prepare = _graph.preparation(tf, reader, size, given.are_files)
        result = result.map(
            lambda element, key: (prepare(*given.take(element), key), key),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        take = tuple
    result = result.batch(reader.batch_size, drop_remainder=training)
    result = result.map(
        lambda elements, keys: finish(*take(elements), keys[0]),
        # A layer of the user's may have a state, so that the order counts.
        num_parallel_calls=tf.data.AUTOTUNE if reader.is_preset else None,
    )
    if batches is not None:
        result = result.take(batches)
    if batches is not None and not reader.start[1]:
        cardinality = tf.data.experimental.assert_cardinality(batches)
        result = result.apply(cardinality)
    if shard is not None:
        options = tf.data.Options()
        off = tf.data.experimental.AutoShardPolicy.OFF
        options.experimental_distribute.auto_shard_policy = off
        result = result.with_options(options)
    result = result.prefetch(tf.data.AUTOTUNE)
    if reader.start[1]:
        # Keras asks once, so tell it the number of whole epochs; a cardinality
        # that is asserted would be an error in the first one.
        result.cardinality = lambda: tf.constant(batches, tf.int64)
    return result
