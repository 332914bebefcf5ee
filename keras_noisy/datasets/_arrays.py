"""The steps of `ImageDataset` in Pillow and NumPy, which are thread-safe."""

from typing import Any

import numpy as np

from keras_noisy._pillow import picture, pillow
from keras_noisy.datasets import _augmentation
from keras_noisy.datasets._reader import Size

#: Random numbers per image: a box, four changes of color and a flip.
DRAWS = 4 * _augmentation.ATTEMPTS + 5


def _image_of(given: np.ndarray | str) -> Any:
    if isinstance(given, np.ndarray):
        return pillow().fromarray(
            given.squeeze(-1) if given.shape[-1] == 1 else given
        )
    return picture(str(given))


def prepared(
    given: np.ndarray | str, size: Size, augment: Any, draws: np.ndarray | None
) -> np.ndarray:
    """Crop and resize a picture, and change its colors at random."""
    image = _image_of(given)
    boxes = None
    if draws is not None:
        boxes = draws[: 4 * _augmentation.ATTEMPTS].reshape(4, -1)
    shape = float(image.height), float(image.width)
    top, left, height, width = _augmentation.box(
        shape, size, augment, boxes, np
    )
    # The `box` of `resize` would mix in pixels next to the box.
    image = image.crop((left, top, left + width, top + height))
    image = image.resize(size[::-1], pillow().Resampling.BILINEAR)
    if draws is not None and augment == "webvision":
        image = jittered(image, draws[-5:-1])
    return np.asarray(image).reshape(*size, -1)


def jittered(image: Any, draws: np.ndarray) -> Any:
    """The color changes of the Keras layers, by tables of 256 values."""
    low, high = _augmentation.SATURATION
    brightness, contrast, saturation, hue = (
        _augmentation.BRIGHTNESS * (2 * draws[0] - 1),
        1 + _augmentation.CONTRAST[0] * (2 * draws[1] - 1),
        low + (high - low) * draws[2],
        _augmentation.HUE / 2 * (2 * draws[3] - 1),
    )
    levels = np.arange(256.0)
    brighter = np.clip(levels + 255 * brightness, 0, 255)
    counts = np.reshape(image.histogram(), (3, 256))
    means = counts @ brighter / counts[0].sum()
    colors = (brighter - means[:, None]) * contrast + means[:, None]
    image = image.point(_table(colors))
    rotated = (levels + 255 * hue) % 255
    saturated = levels * (saturation / (1 - saturation))
    table = _table(np.stack([rotated, saturated, levels]))
    return image.convert("HSV").point(table).convert("RGB")


def _table(values: np.ndarray) -> list[int]:
    return np.clip(np.round(values), 0, 255).astype(int).ravel().tolist()


def augmented(
    images: np.ndarray, augment: str, draws: np.ndarray
) -> np.ndarray:
    """Flip a batch of images, and shift those of CIFAR, at random."""
    if augment != "webvision":
        count, height, width, _ = images.shape
        pad = _augmentation.PADDING
        padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        places = np.floor(draws[:, :2] * (2 * pad + 1)).astype(int)
        rows = places[:, :1] + np.arange(height)
        columns = places[:, 1:] + np.arange(width)
        which = np.arange(count)[:, None, None]
        images = padded[which, rows[:, :, None], columns[:, None]]
    flips = draws[:, -1] < 0.5
    images[flips] = images[flips, :, ::-1]
    return images
