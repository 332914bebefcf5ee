"""Open-set noise: images that belong to none of the classes."""

from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import integer
from keras_noisy._noise_checks import noise_rate, rounded, stacked
from keras_noisy._random import Random


class OpenSet(NamedTuple):
    """What `open_set` returns.

    Args:
        images: A new array of the images.
        changed: Which were replaced, a boolean array of shape `(N,)`.
        rate: Share of these, a float.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import open_set
    >>> open_set(np.zeros((4, 8, 8)), np.ones((2, 8, 8)), rate=0.5).rate
    0.5
    """

    images: np.ndarray
    changed: np.ndarray
    rate: float


def open_set(
    images: Any, other_images: Any, rate: float, seed: int = 0
) -> OpenSet:
    """Replace images by images of another data set, and keep the labels.

    Web searches also return images that belong to none of the classes, so any
    label is wrong. This function makes such samples on purpose.

    Formula:

    ```
    round(rate * N) of N images are replaced
    ```

    Args:
        images: Array of shape `(N, ...)`. It is not changed.
        other_images: Array of shape `(M, ...)`, images of the same shape and
            type. Each is used once, unless there are too few.
        rate: Share of images to replace, in [0, 1].
        seed: Seed of the draw, an integer of at least 0. Defaults to `0`.

    Returns:
        `OpenSet(images, changed, rate)`: a new array of images, a boolean
        array of shape `(N,)`, the share of replaced images as a float.

    Raises:
        ValueError: If the images differ in shape or type, or an argument is
            outside its range.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import open_set
    >>> digits, letters = np.zeros((50, 8, 8)), np.ones((20, 8, 8))
    >>> images, changed, rate = open_set(digits, letters, rate=0.2)
    >>> rate, int(images.max(axis=(1, 2)).sum())
    (0.2, 10)

    References:
        - Wang et al., Iterative learning with open-set noisy labels, CVPR
          2018, arXiv 1804.00092
    """
    images = stacked("images", images)
    other_images = stacked("other_images", other_images)
    ours = images.shape[1:], images.dtype
    theirs = other_images.shape[1:], other_images.dtype
    if images.ndim < 2:
        raise ValueError(
            "Invalid value for argument `images`. Expected an array of shape "
            f"(N, ...). Received: images.shape={images.shape}, images.dtype="
            f"{images.dtype}. If these are paths, read the files first"
        )
    if ours != theirs:
        raise ValueError(
            "Invalid value for argument `other_images`. Expected images of "
            f"shape {ours[0]} and type {ours[1]}, like `images`. Received: "
            f"shape {theirs[0]} and type {theirs[1]}"
        )
    count = int(rounded(noise_rate(rate) * len(images)))
    if count and not len(other_images):
        raise ValueError(
            "Invalid value for argument `other_images`. Expected at least one "
            "image. Received: none"
        )
    seed = integer("seed", seed, 0)
    changed = np.zeros(len(images), bool)
    changed[Random(seed, 3, 0).permutation(len(images))[:count]] = True
    result = images.copy()
    if count:
        others = Random(seed, 3, 1).permutation(len(other_images))
        result[changed] = other_images[np.resize(others, count)]
    return OpenSet(result, changed, count / max(1, len(images)))
