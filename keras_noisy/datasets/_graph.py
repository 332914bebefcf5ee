"""The steps of a tf.data pipeline, on samples and on batches."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_noisy._pillow import picture
from keras_noisy.datasets import _augmentation
from keras_noisy.datasets._mix import Mix
from keras_noisy.datasets._reader import Reader, Size

#: Larger images may be a few bytes that only claim this size.
PLAIN_PIXELS = 2**25
#: Index of the random numbers of a mix; earlier changes count from 0.
MIXED = 1000


class _Seeds(keras.random.SeedGenerator):
    """Seeds from a key; the seed of a layer would advance with prefetching."""

    def __init__(self, key: Any, fold_in: Callable[[Any, int], Any]):
        self.key, self.fold_in, self.count = key, fold_in, 0

    def next(self, ordered: bool = True) -> Any:
        """Another seed."""
        self.count += 1
        return self.fold_in(self.key, self.count)


def preparation(
    tf: Any, reader: Reader, size: Size, are_files: bool
) -> Callable[..., Any]:
    """Decode, crop and resize the image of a sample."""

    def box(shape: Any, key: Any) -> Any:
        draws = None
        if reader.training:
            draws = tf.random.stateless_uniform(
                (4, _augmentation.ATTEMPTS), key, dtype=tf.float64
            )
        sides = tf.cast(shape, tf.float64)
        sides = _augmentation.box(
            (sides[0], sides[1]), size, reader.augment, draws, tf
        )
        return [tf.cast(side, tf.int32) for side in sides]

    def cropped(image: Any, key: Any) -> Any:
        top, left, height, width = box(tf.shape(image), key)
        return image[top : top + height, left : left + width]

    def decoded(given: Any, key: Any) -> Any:
        content = tf.io.read_file(given) if are_files else given
        name = given if are_files else "an image of the dataset"

        def is_plain(content: Any) -> Any:
            # Only for these formats do TensorFlow and Pillow decode the same.
            start = tf.maximum(tf.strings.length(content) - 2, 0)
            ends = tf.strings.substr(content, start, 2) == b"\xff\xd9"
            if not tf.io.is_jpeg(content) & ends:
                return False
            shape = tf.cast(tf.io.extract_jpeg_shape(content), tf.int64)
            return (shape[2] != 4) & (shape[0] * shape[1] <= PLAIN_PIXELS)

        def jpeg(content: Any) -> Any:
            kept = box(tf.io.extract_jpeg_shape(content), key)
            return tf.io.decode_and_crop_jpeg(
                content, kept, channels=3, dct_method="INTEGER_ACCURATE"
            )

        def other(content: Any) -> Any:
            image = tf.numpy_function(by_pillow, (content, name), tf.uint8)
            return cropped(tf.ensure_shape(image, (None, None, 3)), key)

        # If TensorFlow fails, Pillow decodes the image or names it in an error.
        one = tf.data.Dataset.from_tensors(content)
        plain = one.filter(is_plain).map(jpeg).ignore_errors()
        return plain.concatenate(one.map(other)).take(1).get_single_element()

    def by_pillow(content: bytes, name: bytes) -> np.ndarray:
        text = name.decode(errors="backslashreplace")
        return np.asarray(picture(content, text))

    def resized(image: Any) -> Any:
        # Antialiasing is slower and changes nothing if an image is enlarged.
        shrinks = tf.reduce_any(tf.shape(image)[:2] > size)
        image = tf.cond(
            shrinks,
            lambda: tf.image.resize(image, size, antialias=True),
            lambda: tf.image.resize(image, size),
        )
        return tf.ensure_shape(image, (*size, None))

    def prepare(image: Any, label: Any, key: Any) -> tuple[Any, Any]:
        image = (decoded if image.dtype == tf.string else cropped)(image, key)
        return resized(image), label

    return prepare


def finish(
    tf: Any, reader: Reader, size: Size, mix: Mix | None = None
) -> Callable[..., Any]:
    """Change the images of a batch at random, scale them, and mix them."""
    scale, offset = _augmentation.scale_and_offset(reader.augment)
    fold_in = tf.random.experimental.stateless_fold_in

    def changed_by(layers: list[Any]) -> Callable[[Any, Any], Any]:
        def change(images: Any, key: Any) -> Any:
            seeds = _Seeds(key, fold_in)
            for layer in layers:
                layer.backend.set_backend("tensorflow")
                drawn = layer.get_random_transformation(images, seed=seeds)
                images = layer.transform_images(images, drawn)
            return images

        # Color layers are ten times as fast in one pass.
        is_webvision = reader.augment == "webvision"
        return tf.function(change, jit_compile=True) if is_webvision else change

    changes = []
    if reader.training and reader.is_preset:
        groups = _augmentation.random_layers(reader.augment, size)
        changes = [changed_by(layers) for layers in groups]

    def step(images: Any, labels: Any, key: Any) -> tuple[Any, Any]:
        images = tf.cast(images, tf.float32)
        if reader.is_preset:
            images = tf.ensure_shape(images, (None, *size, 3))
        elif reader.training and reader.augment is not None:
            images = _augmentation.applied(images, reader.augment)
            images = tf.cast(images, tf.float32)
        if changes:
            images /= 255
            for number, change in enumerate(changes):
                images = change(images, fold_in(key, number))
            images = images * scale + offset
        else:
            images = images * (scale / 255) + offset
        if mix is None:
            return images, labels
        return mix.in_tensorflow(tf, images, labels, fold_in(key, MIXED))

    return step
