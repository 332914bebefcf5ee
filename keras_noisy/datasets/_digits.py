"""Numbers written with the handwritten digits of scikit-learn."""

import numpy as np

from keras_noisy._random import Random

#: Digits in a number of the data set with several labels.
LENGTH = 3
TEST_DIGITS = 360
TEST_SAMPLES = 5_000


def digits(
    num_classes: int, num_samples: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both splits; no digit of one split is in an image of the other."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "The data set 'digits' needs scikit-learn: pip install scikit-learn"
        ) from error
    originals = load_digits()
    pixels = np.rint(originals.images * 255 / 16).astype("uint8")
    order = Random(seed, 5, 0).permutation(len(pixels))
    length = len(str(num_classes - 1))
    splits = []
    for part, count in enumerate((num_samples, TEST_SAMPLES)):
        mine = order[TEST_DIGITS:] if part == 0 else order[:TEST_DIGITS]
        uniform = Random(seed, 5, 1, part).uniform(count * length)
        picked = mine[(uniform * len(mine)).astype(int)].reshape(count, length)
        images = np.concatenate(list(pixels[picked.T]), axis=-1)
        values = originals.target[picked] @ 10 ** np.arange(length)[::-1]
        splits.append((images, values.astype("int32")))
    return splits


def digits_inside(
    num_samples: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both splits of numbers, with labels (N, 10) of the digits in them."""
    splits = []
    for images, values in digits(10**LENGTH, num_samples, seed):
        places = values[:, None] // 10 ** np.arange(LENGTH) % 10
        inside = np.any(places[..., None] == np.arange(10), axis=1)
        splits.append((images, inside.astype("int32")))
    return splits
