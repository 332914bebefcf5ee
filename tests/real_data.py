"""Real images and human labels for the tests, from next to the project."""

import functools
import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def folder(name):
    """The folder of a data set; the test is skipped where it is absent."""
    if not (FOLDER / name).is_dir():
        pytest.skip(f"no real data: {FOLDER / name} is not there")
    return FOLDER / name


@functools.cache
def cifar100_labels():
    with np.load(folder("cifar100") / "labels.npz") as file:
        return dict(file)


def cifar100_images(split, count=None):
    """The first `count` images of a split, uint8 (N, 32, 32, 3)."""
    from PIL import Image

    files = sorted(folder("cifar100").glob(f"{split}_*.webp"))
    strips = files if count is None else files[: -(-count // 500)]
    images = np.concatenate(
        [
            np.asarray(Image.open(file).convert("RGB")).reshape(-1, 32, 32, 3)
            for file in strips
        ]
    )
    return images[:count]


@functools.cache
def cifar_n_labels():
    with np.load(folder("cifar_n") / "cifarn_original_order.npz") as file:
        return dict(file)


def fashion_mnist(kind):
    """Images and labels of `"train"` or `"t10k"`, uint8."""
    root = folder("fashion_mnist")
    with gzip.open(root / f"{kind}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16)
    with gzip.open(root / f"{kind}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images.reshape(-1, 28, 28), labels


def write_python_version(root, images, labels, coarse_labels=None):
    """CIFAR in the official python version: `{split: array}` of each."""
    root.mkdir(parents=True)
    for split, array in images.items():
        content = {b"data": np.moveaxis(array, -1, 1).reshape(len(array), -1)}
        if coarse_labels is None:
            content[b"labels"] = labels[split].tolist()
        else:
            content[b"fine_labels"] = labels[split].tolist()
            content[b"coarse_labels"] = coarse_labels[split].tolist()
        with open(root / split, "wb") as file:
            pickle.dump(content, file, protocol=4)
