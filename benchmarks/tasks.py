"""Data, noise and networks of the accuracy studies.

The folder of the data holds `features/cifar100_efficientnet_lite0.npz`
(`train` and `test`, int8, and `scale`), `cifar100/` with `labels.npz` and
strips of 500 images `train_*.webp` and `test_*.webp`, `cifar_n/` with the
human labels, `fashion_mnist/` with the official files, and
`diginetica/sessions.npz`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from keras_noisy.datasets import load
from keras_noisy.noise import asymmetric, corrupt, pair_flip, symmetric

#: Epochs, batch size, and the number of classes of each task.
TASKS = {
    "digits-10": (12, 128, 10),
    "digits-100": (12, 128, 100),
    "digits-1000": (12, 128, 1000),
    "features-5": (15, 256, 5),
    "features-10": (15, 256, 10),
    "features-100": (15, 256, 100),
    "fashion-mnist": (10, 128, 10),
    "cnn-8": (8, 128, 100),
    "cnn-30": (30, 128, 100),
    "clicks": (3, 256, 43_097),
}
HUMAN = ("features-100", "cnn-8", "cnn-30")
#: Number of clicks of a session that the network sees.
LAST_CLICKS = 10


class Task(NamedTuple):
    """Arrays of a task; `clean` is None if the true labels are unknown."""

    x: np.ndarray
    y: np.ndarray
    clean: np.ndarray | None
    x_test: np.ndarray
    y_test: np.ndarray
    num_classes: int


def noises(task: str) -> tuple[str, ...]:
    """The noises of a task, the most informative ones first."""
    if task == "clicks":
        return ("clean",)
    human = ("human",) if task in HUMAN else ()
    return ("symmetric .4", *human, "asymmetric .4", "clean", "symmetric .8")


def read(task: str, noise: str, seed: int, folder: Path) -> Task:
    """A task with noisy labels."""
    if task == "clicks":
        return _clicks(folder)
    x, clean, x_test, y_test = _clean(task, folder)
    num_classes = TASKS[task][2]
    if noise == "human":
        with np.load(folder / "cifar_n" / "cifarn_original_order.npz") as file:
            y = file["c100_noisy_label"].astype("int32")
    elif noise == "clean":
        y = clean
    else:
        kind, rate = noise.split()
        matrix = _transition(task, kind, num_classes, float(rate))
        y = corrupt(clean, matrix, seed=seed).labels.astype("int32")
    return Task(x, y, clean, x_test, y_test, num_classes)


def _transition(task: str, kind: str, num_classes: int, rate: float) -> Any:
    if kind == "symmetric":
        return symmetric(num_classes, rate)
    if task == "fashion-mnist":
        return asymmetric("fashion_mnist", rate)
    if num_classes == 100 and not task.startswith("digits"):
        return asymmetric("cifar100_blocks", rate)
    return pair_flip(num_classes, rate)


@functools.lru_cache(maxsize=1)
def _clean(task: str, folder: Path) -> tuple[np.ndarray, ...]:
    kind, _, number = task.partition("-")
    if kind == "digits":
        data = load("digits", num_classes=int(number), num_samples=30_000)
    elif kind == "fashion":
        data = load("fashion_mnist", data_dir=folder / "fashion_mnist")
    if kind in ("digits", "fashion"):
        x, x_test = (a / np.float32(255) for a in (data.x_train, data.x_test))
        y = data.y_clean.astype("int32")
        count = 30_000 if kind == "digits" else 20_000
        x_test, y_test = x_test[:10_000], data.y_test[:10_000].astype("int32")
        return x[:count], y[:count], x_test, y_test
    with np.load(folder / "cifar100" / "labels.npz") as file:
        labels = [file[part].astype("int32") for part in ("train", "test")]
    parts = _features(folder) if kind == "features" else _images(folder)
    below = TASKS[task][2]
    kept = [index < below for index in labels]
    (x, x_test), (y, y_test) = (
        [a[k] for a, k in zip(pair, kept, strict=True)]
        for pair in (parts, labels)
    )
    return x, y, x_test, y_test


def _features(folder: Path) -> list[np.ndarray]:
    path = folder / "features" / "cifar100_efficientnet_lite0.npz"
    with np.load(path) as file:
        scale = file["scale"]
        train, test = (file[part] * scale for part in ("train", "test"))
    mean, std = train.mean(axis=0), train.std(axis=0)
    return [((x - mean) / std).astype("float32") for x in (train, test)]


def _images(folder: Path) -> list[np.ndarray]:
    from PIL import Image

    found = []
    for part in ("train", "test"):
        strips = [
            np.asarray(Image.open(file).convert("RGB")).reshape(-1, 32, 32, 3)
            for file in sorted((folder / "cifar100").glob(f"{part}_*.webp"))
        ]
        images = np.concatenate(strips)
        found.append(((images / 255 - 0.48) / 0.26).astype("float32"))
    return found


def _clicks(folder: Path) -> Task:
    """The last quarter of the sessions, every prefix of them a sample."""
    with np.load(folder / "diginetica" / "sessions.npz") as file:
        train, lengths = file["train_items"], file["train_lengths"]
        test, test_lengths = file["test_items"], file["test_lengths"]
        y_test = file["test_targets"] - 1
    recent = len(lengths) * 3 // 4
    x, y = [], []
    ends = np.cumsum(lengths.astype(int))
    for end, length in zip(ends[recent:], lengths[recent:], strict=True):
        session = train[end - length : end]
        x += [session[:i] for i in range(1, length)]
        y += list(session[1:] - 1)
    starts = np.cumsum(test_lengths.astype(int))[:-1]
    return Task(
        _padded(x),
        np.array(y, "int32"),
        None,
        _padded(np.split(test, starts)),
        y_test.astype("int32"),
        TASKS["clicks"][2],
    )


def _padded(prefixes: list[np.ndarray]) -> np.ndarray:
    found = np.zeros((len(prefixes), LAST_CLICKS), "int32")
    for row, prefix in zip(found, prefixes, strict=True):
        last = prefix[-LAST_CLICKS:]
        row[-len(last) :] = last
    return found


def logits_of(task: str, inputs: Any, num_classes: int, decay: float) -> Any:
    """The logits of a new network, whose kernels have an L2 penalty."""
    shared: dict[str, Any] = {}
    if decay:
        shared["kernel_regularizer"] = keras.regularizers.L2(decay)
    if task == "clicks":
        each = layers.Embedding(num_classes + 1, 64)(inputs)
        there = ops.cast(ops.expand_dims(inputs > 0, -1), "float32")
        count = ops.maximum(ops.sum(there, axis=1), 1.0)
        mean = ops.sum(each * there, axis=1) / count
        x = layers.Concatenate()([mean, each[:, -1]])
        x = layers.Dense(64, activation="tanh", **shared)(x)
    elif task.startswith("features"):
        x = layers.Dense(512, activation="relu", **shared)(inputs)
        x = layers.BatchNormalization()(x)
        x = layers.Dropout(0.2)(x)
    elif task.startswith(("digits", "fashion")):
        x = layers.Flatten()(inputs)
        for _ in range(2):
            x = layers.Dense(512, **shared)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
    else:
        x = inputs
        for filters in (32, 64, 128):
            x = layers.Conv2D(filters, 3, 2, "same", use_bias=False, **shared)(
                x
            )
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Flatten()(x)
    return layers.Dense(num_classes, **shared)(x)
