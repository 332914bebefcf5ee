"""The usual augmentations of the papers, once for both readers."""

import math
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_noisy._label_tensors import is_unranked

#: Number of boxes to try; the first that fits into the image is used.
ATTEMPTS = 10
AREA = (0.08, 1.0)
#: Largest width over height, and height over width.
RATIO = 4 / 3
#: Evaluation resizes the shorter side to this many times that of the crop.
MARGIN = 256 / 224
#: Pixels of black on each side of a CIFAR image, before it is cropped.
PADDING = 4

# Factors between 0.6 and 1.4 and a fifth of the color circle, in the units of
# the layers of Keras. They add brightness rather than multiply it: as much as
# the factors change an image of ImageNet's mean brightness, 0.45. Of one number
# for the contrast they would make 1 to 1.4. A saturation of f multiplies by
# f / (1 - f), and a hue of 1 is half of the circle.
BRIGHTNESS = 0.18
CONTRAST = (0.4, 0.4)
SATURATION = (0.6 / 1.6, 1.4 / 2.4)
HUE = 0.4


class Preset(NamedTuple):
    """Mean and standard deviation of the channels, and the default size."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int | None = None


PRESETS = {
    "cifar": Preset((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": Preset((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "webvision": Preset((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224),
}


def scale_and_offset(augment: Any) -> tuple[Any, Any]:
    """Layers that standardize images in [0, 1]; none without a preset."""
    if not isinstance(augment, str):
        return np.float32(1), np.float32(0)
    mean, std = map(np.array, PRESETS[augment][:2])
    return np.float32(1 / std), np.float32(-mean / std)


def random_layers(augment: str, size: tuple[int, int]) -> list[list[Any]]:
    """Keras layers for batches of images in [0, 1], except the box.

    If they were compiled as one, a color would be computed for each channel.
    """
    shared: dict[str, Any]
    shared = {"dtype": "float32", "data_format": "channels_last"}
    flip = keras.layers.RandomFlip("horizontal", **shared)
    if augment != "webvision":
        # Rounded to whole pixels, all 9 places are equally likely.
        shift = keras.layers.RandomTranslation(
            *((PADDING + 0.5) / side for side in size),
            fill_mode="constant",
            interpolation="nearest",
            **shared,
        )
        return [[shift, flip]]
    # In [0, 255], the layer would not clip the saturation.
    shared["value_range"] = (0.0, 1.0)
    brightness = keras.layers.RandomBrightness(BRIGHTNESS, **shared)
    contrast = keras.layers.RandomContrast(CONTRAST, **shared)
    saturation = keras.layers.RandomSaturation(SATURATION, **shared)
    hue = keras.layers.RandomHue(HUE, **shared)
    return [[flip, brightness, contrast], [saturation], [hue]]


def box(
    shape: tuple[Any, Any],
    size: tuple[int, int],
    augment: Any,
    draws: Any,
    backend: Any,
) -> tuple[Any, Any, Any, Any]:
    """Top, left, height and width of the part of an image that is kept.

    `shape` is the image's, as float64; `draws` are float64 numbers in [0, 1)
    of shape (4, ATTEMPTS), or None in evaluation; `backend` is numpy or
    tensorflow, whose functions of these names do the same.
    """
    height, width = shape
    if augment != "webvision":
        return 0, 0, height, width
    if draws is None:
        scale = backend.minimum(height / size[0], width / size[1]) / MARGIN
        kept = [backend.round(side * scale) for side in size]
        kept = [backend.maximum(side, 1.0) for side in kept]
        top, left = (height - kept[0]) / 2, (width - kept[1]) / 2
        return backend.floor(top), backend.floor(left), *kept
    area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * draws[0])
    ratio = backend.exp(math.log(RATIO) * (2 * draws[1] - 1))
    heights = backend.round(backend.sqrt(area / ratio))
    widths = backend.round(backend.sqrt(area * ratio))
    fits = (heights <= height) & (widths <= width)
    first = backend.argmax(backend.where(fits, 1, 0))
    # If no candidate fits, shrink the first to the image.
    kept_height = backend.minimum(heights[first], height)
    limit = backend.minimum(width, backend.round(kept_height * RATIO))
    kept_width = backend.maximum(backend.minimum(widths[first], limit), 1.0)
    limit = backend.round(kept_width * RATIO)
    kept_height = backend.maximum(backend.minimum(kept_height, limit), 1.0)
    top = backend.floor(draws[2][0] * (height - kept_height + 1))
    left = backend.floor(draws[3][0] * (width - kept_width + 1))
    return top, left, kept_height, kept_width


def applied(images: Any, augment: Any) -> Any:
    """Images changed by a layer or function of the user."""
    is_layer = isinstance(augment, keras.layers.Layer)
    changed = augment(images, training=True) if is_layer else augment(images)
    given, found = tuple(images.shape), shape_of(changed)
    if not isinstance(found, tuple) or found[1:] != given[1:]:
        raise ValueError(
            "Expected `augment` to return images and to keep the shape of "
            f"those that it was given, {given}; `image_size` changes it. "
            f"Received: {found}"
        )
    return changed


def shape_of(result: Any) -> Any:
    """The shape of what a function of the user returned, or what is wrong."""
    shape = getattr(result, "shape", None)
    if is_unranked(shape):  # after a `tf.numpy_function`
        return "an unknown shape, which you can set by `tf.ensure_shape`"
    return type(result) if shape is None else tuple(shape)
