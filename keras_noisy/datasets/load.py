"""Loads data sets of papers by name, with noise by name."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import choice, integer, invalid
from keras_noisy._label_arrays import class_labels
from keras_noisy._noise_checks import noise_rate
from keras_noisy.datasets import _files
from keras_noisy.datasets._cifar_n import HUMAN, check_order, human_labels
from keras_noisy.datasets._class_names import CLASS_NAMES
from keras_noisy.datasets._digits import digits, digits_inside
from keras_noisy.datasets.noisy_dataset import NoisyDataset
from keras_noisy.noise import (
    asymmetric,
    corrupt,
    flip_labels,
    instance_dependent,
    pair_flip,
    symmetric,
)

DATA_SETS = (
    "digits",
    "multilabel_digits",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "cifar10n",
    "cifar100n",
)
ASYMMETRIC = {
    ("fashion_mnist", "asymmetric"): "fashion_mnist",
    ("cifar10", "asymmetric"): "cifar10",
    ("cifar100", "asymmetric"): "cifar100_blocks",
    ("cifar100", "asymmetric_superclass"): "cifar100_superclass",
}


def load(
    name: str,
    noise: Any = None,
    rate: float | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    *,
    mode: str = "bernoulli",
    num_classes: int | None = None,
    num_samples: int | None = None,
) -> NoisyDataset:
    """Load a data set with noisy and clean labels.

    `"digits"` and `"multilabel_digits"` are made from the digits of
    scikit-learn and need no download. `"multilabel_digits"` has numbers of
    three digits with ten labels each: whether each of the digits 0 to 9 is in
    the number. Keras downloads the other data sets, or they are read from
    `data_dir`, for example without a network. The human labels of CIFAR-10N
    and CIFAR-100N are for non-commercial use (CC BY-NC 4.0): download them from
    https://github.com/UCSC-REAL/cifar-10-100n into `data_dir`.

    Args:
        name: `"digits"`, `"multilabel_digits"`, `"fashion_mnist"`,
            `"cifar10"`, `"cifar100"`, `"cifar10n"` or `"cifar100n"`.
        noise: Kind of label noise. Defaults to `None`: clean labels, or
            `"worse"` and `"noisy"` for the human labels.

            - `"symmetric"`, `"symmetric_include_true"`, `"pair_flip"`,
              `"instance_dependent"`: see `keras_noisy.noise`.
            - `"asymmetric"`: the asymmetric noise of the papers for
              Fashion-MNIST, CIFAR-10 or CIFAR-100, where it is in blocks of
              five labels.
            - `"asymmetric_superclass"`: for CIFAR-100.
            - Your own row-stochastic matrix.
            - For `"multilabel_digits"`: `"symmetric"`, each label can flip;
              `"missing"`, a label 1 can become 0; or your own rates, of shape
              (2,) or (10, 2), see `keras_noisy.noise.flip_labels`.
            - For `"cifar10n"`: `"aggre"`, `"random1"`, `"random2"`,
              `"random3"` or `"worse"`.
            - For `"cifar100n"`: `"noisy"`, or `"noisy_coarse"` with the 20
              superclasses.
        rate: Noise rate in [0, 1], as defined by the function in
            `keras_noisy.noise`. Required for noise that is drawn by name. Do
            not pass it for human labels or with a matrix. Defaults to `None`.
        seed: Seed of the noise and of the images of digits. Defaults to `0`.
        data_dir: Folder that has the official files, directly or up to three
            folders below, possibly each in a folder of the same name: the four
            idx files of Fashion-MNIST; `cifar-10-batches-py`, its files or
            `cifar-10-python.tar.gz`; `cifar-100-python`, its files or its
            archive; `CIFAR-10_human.pt` and `CIFAR-100_human.pt`, whose images
            Keras downloads if they are not in the folder. Defaults to `None`,
            a download by `keras.datasets` into the folder that Keras uses.
        mode: `"bernoulli"` or, for noise given by a matrix, `"exact"`, see
            `keras_noisy.noise.corrupt`. Defaults to `"bernoulli"`.
        num_classes: Only for `"digits"`: 10, 100 or 1000, for numbers of one,
            two or three digits. Defaults to `None`, 1000.
        num_samples: Only for `"digits"` and `"multilabel_digits"`: size of the
            training set. Defaults to `None`, 30,000.

    Returns:
        A `NoisyDataset` with `x_train`, `y_train`, `y_clean`, `x_test`,
        `y_test` and `class_names`.

    Raises:
        ValueError: If an argument does not fit the data set, or if the clean
            labels in the file of human labels do not match the images.
        FileNotFoundError: If the files are not in `data_dir`.
        RuntimeError: If the download fails.

    Example:

    >>> from keras_noisy.datasets import load
    >>> data = load("digits", "symmetric", rate=0.4)
    >>> data.num_classes, round(data.rate, 1)
    (1000, 0.4)

    References:
        - Wei et al., Learning with noisy labels revisited: a study using
          real-world human annotations, ICLR 2022, arXiv 2110.12088
        - Xiao et al., Fashion-MNIST: a novel image dataset for benchmarking
          machine learning algorithms, 2017, arXiv 1708.07747
        - Krizhevsky, Learning multiple layers of features from tiny images,
          2009
    """
    name = choice("name", name, DATA_SETS)
    seed = integer("seed", seed, 0)
    human = HUMAN.get(name)
    if human:
        noise = next(iter(human)) if noise is None else noise
        if not isinstance(noise, str) or noise not in human:
            raise invalid("noise", noise, f"one of {list(human)} for {name!r}")
    rate = _checked_rate(name, noise, rate)
    if name == "multilabel_digits":
        if (mode, num_classes) != ("bernoulli", None):
            raise ValueError(
                "`num_classes` and `mode` are no arguments of "
                f"'multilabel_digits'. Received: num_classes={num_classes!r}, "
                f"mode={mode!r}"
            )
        return _multilabel_digits(noise, rate, seed, num_samples)
    if mode != "bernoulli" and (human or noise is None or _per_image(noise)):
        raise invalid(
            "mode", mode, '"bernoulli", as this noise is not that of a matrix'
        )
    if name != "digits" and not (num_classes is num_samples is None):
        raise ValueError(
            "`num_classes` is an argument of 'digits' alone, `num_samples` of "
            "'digits' and 'multilabel_digits'. Leave them out: slice the "
            f"arrays for fewer samples. Received: num_classes={num_classes!r}, "
            f"num_samples={num_samples!r} for {name!r}"
        )

    if human:
        return _with_human_labels(name, human[noise], data_dir)
    if name == "digits":
        splits, class_names = _digits(num_classes, num_samples, seed)
    else:
        splits, class_names = _images(name, data_dir), CLASS_NAMES[name]
    (x_train, y_clean), (x_test, y_test) = _checked(name, splits, class_names)
    y_train = _noisy_labels(
        name, noise, rate, seed, mode, x_train, y_clean, len(class_names)
    )
    return NoisyDataset(x_train, y_train, y_clean, x_test, y_test, class_names)


def _with_human_labels(
    name: str, column: str, data_dir: str | Path | None
) -> NoisyDataset:
    """CIFAR with the labels that people gave to its images."""
    base, coarse = name.removesuffix("n"), "coarse" in column
    # Raise before images are downloaded or read.
    file, given, clean = human_labels(base, column, data_dir)
    splits = _images(base, data_dir, coarse, human=True)
    class_names = CLASS_NAMES[base + "_coarse" * coarse]
    (x_train, y_clean), (x_test, y_test) = _checked(name, splits, class_names)
    check_order(file, given, clean, y_clean)
    y_train = class_labels("labels", given, len(class_names))
    y_train = y_train.astype(y_clean.dtype)
    return NoisyDataset(x_train, y_train, y_clean, x_test, y_test, class_names)


def _digits(
    num_classes: int | None, num_samples: int | None, seed: int
) -> tuple[list[_files.Split], tuple[str, ...]]:
    """Both splits of numbers, and the names of their classes."""
    num_classes = 1000 if num_classes is None else num_classes
    if integer("num_classes", num_classes) not in (10, 100, 1000):
        raise invalid("num_classes", num_classes, "10, 100 or 1000")
    splits = digits(num_classes, _count(num_samples), seed)
    return splits, tuple(map(str, range(num_classes)))


def _count(num_samples: int | None) -> int:
    """The number of training samples of digits."""
    count = 30_000 if num_samples is None else num_samples
    return integer("num_samples", count, 1)


def _checked(
    name: str, splits: Iterable[_files.Split], class_names: Sequence[str]
) -> list[_files.Split]:
    """Images with labels of a small type, a label for each."""
    found = []
    for images, labels in splits:
        labels = class_labels("labels", labels, len(class_names))
        dtype = "int32" if name == "digits" else "uint8"
        found.append((images, labels.astype(dtype)))
        if len(images) != len(labels) or images.ndim not in (3, 4):
            raise ValueError(
                f"Expected a label for each image of {name!r}. Received: "
                f"images of shape {images.shape} and labels of shape "
                f"{labels.shape}. Download it again"
            )
    return found


def _multilabel_digits(
    noise: Any, rate: float, seed: int, num_samples: int | None
) -> NoisyDataset:
    """Images of numbers, with flipped labels for the digits in them."""
    rates = noise
    if noise is None or isinstance(noise, str):
        known: dict[str | None, Any]
        known = {None: 0.0, "symmetric": rate, "missing": (0.0, rate)}
        if noise not in known:
            expected = (
                '"symmetric", "missing" or rates of shape (2,) or (10, 2)'
            )
            raise invalid("noise", noise, expected)
        rates = known[noise]
    (x_train, clean), (x_test, y_test) = digits_inside(
        _count(num_samples), seed
    )
    noisy = flip_labels(clean, rates, seed=seed).labels
    names = tuple(map(str, range(clean.shape[1])))
    return NoisyDataset(x_train, noisy, clean, x_test, y_test, names)


def _per_image(noise: Any) -> bool:
    return isinstance(noise, str) and noise == "instance_dependent"


def _drawn(name: str) -> list[str]:
    """Names of the noise that is drawn at a rate."""
    if name in HUMAN:
        return []
    if name == "multilabel_digits":
        return ["symmetric", "missing"]
    return [
        "symmetric",
        "symmetric_include_true",
        "pair_flip",
        "instance_dependent",
        *(kind for of, kind in ASYMMETRIC if of == name),
    ]


def _checked_rate(name: str, noise: Any, rate: float | None) -> float:
    """The rate; 0 if none is given and the noise needs none."""
    if rate is None:
        if isinstance(noise, str) and noise in _drawn(name):
            raise invalid(
                "rate", rate, f"a number in [0, 1], as noise={noise!r} needs it"
            )
        return 0.0
    rate = noise_rate(rate)
    reason = "human labels are not drawn at a rate" if name in HUMAN else ""
    if noise is None:
        reason = 'without `noise`, such as "symmetric", no label changes'
    elif not isinstance(noise, str):
        reason = "a matrix has its own rates"
    if rate and reason:
        raise invalid("rate", rate, f"0, as {reason}")
    return rate


def _noisy_labels(
    name: str,
    noise: Any,
    rate: float,
    seed: int,
    mode: str,
    images: np.ndarray,
    clean: np.ndarray,
    num_classes: int,
) -> np.ndarray:
    if noise is None:
        return clean.copy()
    if _per_image(noise):
        return instance_dependent(images, clean, rate, seed, num_classes).labels
    if not isinstance(noise, str):
        if np.shape(noise) != (num_classes, num_classes):
            raise ValueError(
                "Invalid value for argument `noise`. Expected a matrix of "
                f"shape {(num_classes, num_classes)}. Received: "
                f"noise.shape={np.shape(noise)}"
            )
        return corrupt(clean, noise, mode, seed).labels
    if noise == "symmetric":
        transition = symmetric(num_classes, rate)
    elif noise == "symmetric_include_true":
        transition = symmetric(num_classes, rate, include_true=True)
    elif noise == "pair_flip":
        transition = pair_flip(num_classes, rate)
    elif (name, noise) in ASYMMETRIC:
        transition = asymmetric(ASYMMETRIC[name, noise], rate)
    else:
        raise invalid(
            "noise", noise, f"a matrix or one of {_drawn(name)} for {name!r}"
        )
    return corrupt(clean, transition, mode, seed).labels


def _images(
    name: str,
    data_dir: str | Path | None,
    coarse: bool = False,
    human: bool = False,
) -> Any:
    """Both splits as (images, labels), channels last, labels of shape (N,)."""
    if data_dir is not None:
        try:
            if name == "fashion_mnist":
                return _files.fashion_mnist(data_dir)
            return _files.cifar(name, data_dir, coarse)
        except FileNotFoundError:
            # Keras downloads the images if only the human labels are there.
            if not human:
                raise
    arguments = {"label_mode": "coarse"} if coarse else {}
    try:
        splits = getattr(keras.datasets, name).load_data(**arguments)
    except Exception as error:
        raise RuntimeError(
            f"Keras could not download {name!r}: {error}. Where there is no "
            "network pass `data_dir`, a folder with the official files"
        ) from error
    channels_first = keras.config.image_data_format() == "channels_first"
    result = []
    for images, labels in splits:
        if images.ndim == 4 and channels_first:
            images = np.moveaxis(images, 1, 3)
        result.append((images, np.reshape(labels, -1)))
    return result
