"""Images and labels as a tf.data pipeline, for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_noisy.datasets import _graph
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._sources import keys, source

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

    It decodes, resizes, augments as the papers do, standardizes, shuffles and
    prefetches in TensorFlow, for a model on any backend. `ImageDataset` does
    the same without TensorFlow. Needs `pip install tensorflow pillow`.
    TensorFlow decodes JPEGs and Pillow all other files, so both readers see
    the same pictures: the first frame or page, without transparency. With
    JAX or PyTorch on a GPU, call `tf.config.set_visible_devices([], "GPU")`
    first, or TensorFlow takes the memory of the GPU. Pass `shuffle=False` to
    `fit`: the samples are already shuffled, and Keras warns otherwise.

    Training drops the samples of the last incomplete batch, which are different
    ones in each epoch. Evaluation keeps all samples, in order; its last batch
    may be smaller. Each iteration is a new epoch, with a new order and new
    crops. Everything random follows from `seed` and the number of the epoch,
    for any number of cores. Only a `tf.data.Dataset` is shuffled by TensorFlow,
    which also depends on `keras.utils.set_random_seed`. To continue after a
    restart of the process, pass the `start` of a
    `keras_noisy.callbacks.Resume`.

    In several processes with JAX, give each one its `shard`, and train with
    `keras.distribution.DataParallel(auto_shard_dataset=False)`. The number of
    devices must divide the size of each batch, also of the last one in
    evaluation. TensorFlow's `MultiWorkerMirroredStrategy` shards by itself.

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
              `"image"` and `"label"` as in TFDS, the image uint8 or an
              encoded string. It is shuffled in a buffer of 256 MB: all of
              CIFAR, 1,300 photographs or 13,000 encoded ones. Labels that do
              not fit in 32 bits, such as a missing one that was cast, become
              the nearest number that does, which is not a class either.

        batch_size: Number of images in a batch. Defaults to `128`.
        image_size: Height and width of the output images, an integer for
            both. Defaults to `None`: 224 for `"webvision"`, or else the size of
            the images, if they all have the same.
        augment: Defaults to `None`, images in [0, 1]. Otherwise

            - `"cifar"`: padded by 4 pixels and cropped at random, flipped, and
              standardized by the mean and standard deviation of CIFAR-10;
              `"cifar100"` by those of CIFAR-100.
            - `"webvision"`: a random box with 8 to 100 % of the area and an
              aspect ratio of 3/4 to 4/3, flipped, colors jittered (brightness,
              contrast and saturation by 0.4, hue by 0.2; the brightness is
              added), and standardized as ImageNet. Evaluation takes a center
              crop of 224/256 of the shorter side.
            - a preprocessing layer of Keras or a function that changes a
              batch of images in [0, 255] in training and keeps their shape;
              they are scaled to [0, 1] after it. It needs its own seed.

        training: Whether to shuffle and to augment at random. Defaults to
            `False`.
        seed: Seed of everything random, an integer of at least 0. Defaults to
            `0`.
        shard: `(index, count)` of this process among all. It takes every
            count-th sample, and in training every process has the same number
            of batches. On JAX `(jax.process_index(), jax.process_count())`.
            Defaults to `None`, all samples.
        start: `(epoch, batch)`, counted from 0, to begin with: the first
            iteration is the rest of that epoch, and the following epochs come
            after it; `len` is always that of a whole epoch. Earlier samples
            are not decoded. In `fit`, pass the `start` of a
            `keras_noisy.callbacks.Resume`, because Keras reads a first batch
            before it trains. Not for a `tf.data.Dataset`. Defaults to
            `(0, 0)`.
        sample_weight: Relative frequency of each sample in training. An epoch
            then has as many samples as without, drawn with replacement by
            these weights, instead of each sample once. Numbers of at least 0,
            of shape `(N,)`, such as
            `sample_weights(labels, class_weights(labels))`. The loss does not
            see them. Not for a `tf.data.Dataset`. Defaults to `None`.
        mix: How each image of a training batch and its label are mixed with
            another one of the batch; the labels are then soft, float32 of
            shape `(batch, num_classes)`. Defaults to `None`, not at all.
            Otherwise

            - `"mixup"`: a weighted mean of both images; the share of the first
              is uniform in [0, 1], for each image.
            - `"cutmix"`: a box of the other image, at a random place, whose
              share of the area is uniform, clipped at the edges.
            - a function of images, soft labels and a seed of two integers,
              all TensorFlow tensors, that returns images and soft labels in
              the same shapes. Draw from the seed to be reproducible.

        num_classes: Number of classes of mixed labels. Defaults to `None`, one
            more than the largest label; a `tf.data.Dataset` needs it.

    Returns:
        A `tf.data.Dataset` of batches `(images, labels)`, images float32 of
        shape `(batch, height, width, channels)`.

    Raises:
        ValueError: If an argument is outside its range, there are too few
            samples for a batch, or an integer label does not fit in 32 bits.
        ImportError: If TensorFlow is not installed.
        tf.errors.OpError: While reading, if a file is broken or missing, with
            its name, or if `mix` cannot read a label of a `tf.data.Dataset`.

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
        # A layer of the user may have a state, so the order matters.
        num_parallel_calls=tf.data.AUTOTUNE if reader.is_preset else None,
    )
    if batches is not None:
        result = result.take(batches)
        if not reader.start[1]:
            cardinality = tf.data.experimental.assert_cardinality(batches)
            result = result.apply(cardinality)
    if shard is not None:
        options = tf.data.Options()
        off = tf.data.experimental.AutoShardPolicy.OFF
        options.experimental_distribute.auto_shard_policy = off
        result = result.with_options(options)
    result = result.prefetch(tf.data.AUTOTUNE)
    result.is_random = training  # see `Epochs`
    if reader.start[1]:
        # Keras asks only once, so return the number for a whole epoch. An
        # asserted cardinality would raise an error in the first epoch.
        result.cardinality = lambda: tf.constant(batches, tf.int64)
    return result
