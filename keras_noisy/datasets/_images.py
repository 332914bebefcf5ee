"""Images of some samples, decoded, resized and augmented."""

from __future__ import annotations

import threading

import keras
import numpy as np

from keras_noisy._pillow import pillow
from keras_noisy._random import Random
from keras_noisy.datasets import _arrays, _augmentation
from keras_noisy.datasets._reader import Reader

# A layer of the user may have a state, which threads must not share.
_ONE_AT_A_TIME = threading.Lock()


class Images:
    """Reads images from arrays or files, as the arguments of `reader` say."""

    def __init__(self, images: np.ndarray, reader: Reader):
        self._images, self._reader = images, reader
        shape = images.shape[1:] or (None, None, 3)
        self._size = reader.size(shape)
        augment = reader.augment
        self._prepares = shape[:2] != self._size or augment == "webvision"
        if self._prepares:
            pillow()
            if shape[2] not in (1, 3):
                raise ValueError(
                    "Expected images of 1 or 3 channels, as others cannot be "
                    f"resized here. Received: images with {shape[2]}"
                )

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, chosen: np.ndarray, random: Random | None) -> np.ndarray:
        """Images of these samples, changed by the draws if there are any."""
        reader, draws = self._reader, None
        if random is not None:
            draws = random.uniform(len(chosen) * _arrays.DRAWS)
            draws = draws.reshape(len(chosen), _arrays.DRAWS)
        images = self._images[chosen]
        if self._prepares:
            each = [None] * len(chosen) if draws is None else draws
            images = np.stack(
                [
                    _arrays.prepared(image, self._size, reader.augment, numbers)
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
        return images
