"""Images for the image readers, and helpers to read them."""

import keras
import numpy as np
import pytest
import real_data
from PIL import Image

from keras_noisy.datasets import ImageDataset, _augmentation, pipeline

READERS = {"pipeline": pipeline, "ImageDataset": ImageDataset}


readers = pytest.mark.parametrize("reader", READERS.values(), ids=READERS)


presets = pytest.mark.parametrize("augment", [None, "cifar", "webvision"])


class Folder:
    def __init__(self, files, labels):
        self.files, self.labels = files, labels


def epoch(data):
    """All images and labels of an epoch; the next epoch differs."""
    batches = [tuple(map(np.asarray, batch)) for batch in data]
    if isinstance(data, keras.utils.PyDataset):
        data.on_epoch_end()
    return tuple(map(np.concatenate, zip(*batches, strict=True)))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def gray(count=96, size=32):
    """Dark images of label 0 and light ones of label 1, and an index."""
    labels = np.random.default_rng(0).integers(2, size=count)
    images = np.full((count, size, size, 3), 64, "uint8")
    images[labels == 1] = 192
    return images, np.stack([labels, np.arange(count)], axis=1)


def look(images, augment):
    """The labels of gray images; a quarter of an image can be padding."""
    scale, offset = _augmentation.scale_and_offset(augment)
    images = (images - offset) / scale
    return (np.median(images, axis=(1, 2, 3)) > 0.5).astype(int)


def photographs(count=12, height=200, width=300):
    """Real pictures, larger and in other shapes."""
    small = real_data.cifar100_images("train", count)
    sizes = [(width, height), (height, width), (width, width)]
    return [
        Image.fromarray(image).resize(sizes[i % 3], Image.Resampling.BICUBIC)
        for i, image in enumerate(small)
    ]


def folder_of(root):
    pictures = photographs()
    for i, picture in enumerate(pictures):
        picture.save(root / f"picture {i}.jpg", quality=95)
    files = [str(root / f"picture {i}.jpg") for i in range(len(pictures))]
    return Folder(np.array(files), np.arange(len(files)))
