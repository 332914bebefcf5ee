"""Checks of counts of the classes."""

from typing import Any

import numpy as np

from keras_noisy._containers import check_no_mask, floats


def in_class_order(name: str, value: Any) -> Any:
    """`value`, unless its index shows that it is not in class order.

    `value_counts` of a column puts the most frequent class first, and leaves
    out classes that do not occur.
    """
    index: Any = getattr(value, "index", None)
    if getattr(index, "is_monotonic_increasing", None) is None:
        return value
    classes = np.asarray(index)
    if classes.dtype.kind in "iuf":
        fits = np.array_equal(classes, np.arange(len(classes)))
    else:
        fits = index.is_monotonic_increasing
    if fits:
        return value
    raise ValueError(
        f"Invalid value for argument `{name}`. Expected a number for each "
        "class, in the order of the classes. Received: a column whose index "
        f"starts with {list(index)[:5]}, as from `value_counts`. "
        "Pass `np.bincount(labels, minlength=num_classes)`, or "
        "`column.to_numpy()` if the numbers are in class order"
    )


def class_counts(name: str, value: Any) -> np.ndarray:
    """`value` as float64 if it is a positive number for each class."""
    expected = (
        "a positive number for each class, of at least 2 classes, such as "
        "`np.bincount(labels)`"
    )
    check_no_mask(name, value)
    value = in_class_order(name, value)
    counts = floats(name, value, expected)
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
