"""Checks of counts of the classes."""

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import without_tensor


def class_counts(name: str, value: Any) -> np.ndarray:
    """`value` as float64 if it is a positive number for each class."""
    expected = "a positive number for each class, of at least 2 classes"
    try:
        counts = np.array(without_tensor(value), "float64")
    except (TypeError, ValueError) as error:
        raise invalid(name, value, expected) from error
    if counts.ndim != 1 or len(counts) < 2:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}.shape={counts.shape}"
        )
    bad = ~(np.isfinite(counts) & (counts > 0))
    if np.any(bad):
        first = int(np.argmax(bad))
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected {expected}. "
            f"Received: {name}[{first}]={counts[first]:g} ({bad.sum()} of "
            f"{len(counts)}). A class without samples has no logarithm: add 1 "
            "to all counts, or leave the class out"
        )
    return counts
