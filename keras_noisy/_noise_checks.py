"""Checks of rates and images."""

from typing import Any

import numpy as np

from keras_noisy._arguments import real
from keras_noisy._containers import as_array


def noise_rate(rate: Any) -> float:
    """`rate` if it is a probability."""
    return real("rate", rate, 0, 1, "low high")


def rounded(count: Any) -> Any:
    """Whole numbers, even if a product such as .3 * 5 is not exactly 1.5."""
    return np.rint(np.round(count, 9)).astype("int64")


def stacked(name: str, images: Any) -> np.ndarray:
    """One array of all images, also from a column of a table."""
    array = as_array(name, images)
    if array.dtype != object or array.ndim != 1 or len(array) == 0:
        return array
    try:
        return np.stack([as_array(name, image) for image in array])
    except ValueError as error:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected arrays of one "
            f"shape. Received: {error}"
        ) from error
