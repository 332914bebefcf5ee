"""Weights of samples, tokens or pixels, from the weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._class_counts import in_class_order
from keras_noisy._containers import as_array, without_tensor
from keras_noisy._label_arrays import whole_labels


def sample_weights(
    labels: Any,
    class_weight: Any,
    ignore_class: int | None = None,
) -> np.ndarray:
    """Weight of each sample, or of each token or pixel, from its class.

    Keras takes `class_weight` only for one label per sample, and not with
    generators. This function makes `sample_weight` for `fit` from labels of any
    shape, and the sampling weights for `pipeline` and `ImageDataset`.

    Args:
        labels: Integer labels of any shape, such as `(N,)`, `(N, T)` or
            `(N, H, W)`.
        class_weight: A dictionary from class to weight, in which a missing
            class means weight 1, as in Keras; or the weights of all classes in
            order. Weights are at least 0.
        ignore_class: Label that gets weight 0, such as -1 or 255. Defaults to
            `None`.

    Returns:
        A float32 array in the shape of the labels.

    Raises:
        ValueError: If labels are not integers, a weight is negative or not
            finite, or a label has none.

    Example:

    >>> from keras_noisy.datasets import sample_weights
    >>> sample_weights([[0, 1], [1, 255]], {0: 0.5, 1: 2.0}, ignore_class=255)
    array([[0.5, 2. ],
           [2. , 0. ]], dtype=float32)

    References:
        - Long, Shelhamer, Darrell, Fully convolutional networks for semantic
          segmentation, CVPR 2015, arXiv 1411.4038
    """
    array = as_array("labels", labels)
    flat = whole_labels("labels", array.reshape(-1)).astype("int64")
    kept = np.ones(len(flat), bool)
    if ignore_class is not None:
        kept = flat != integer("ignore_class", ignore_class)
    known = flat[kept]
    if known.min(initial=0) < 0:
        label, count = known[known < 0][0], np.count_nonzero(known < 0)
        raise ValueError(
            "Invalid value for argument `labels`. Expected labels of at least "
            f"0, and {count} of {len(flat)} are not. Received: {label}. For a "
            f"label without a class, pass `ignore_class={label}`"
        )
    table = _table(class_weight, int(known.max(initial=0)) + 1)
    weights = np.zeros(len(flat), "float32")
    weights[kept] = table[known]
    return weights.reshape(array.shape)


def _table(class_weight: Any, size: int) -> np.ndarray:
    """The weights of all classes, checked."""
    expected = (
        "finite weights of at least 0, in the order of the classes or in a "
        "dictionary with the integer classes as keys"
    )
    class_weight = in_class_order("class_weight", class_weight)
    table = np.ones(size)
    try:
        if isinstance(class_weight, Mapping):
            for label, weight in class_weight.items():
                label = integer("class_weight", label, 0)
                if label < size:
                    table[label] = weight
            given = np.array([*class_weight.values()], "float64")
        else:
            table = given = np.array(without_tensor(class_weight), "float64")
    except (TypeError, ValueError) as error:
        raise invalid("class_weight", class_weight, expected) from error
    if given.ndim != 1 or not np.all(np.isfinite(given) & (given >= 0)):
        raise invalid("class_weight", class_weight, expected)
    if len(table) < size:
        raise ValueError(
            "Invalid value for argument `class_weight`. Expected a weight for "
            f"every class of the labels, up to {size - 1}. Received: "
            f"{len(table)} weights. Pass a dictionary to leave some at 1, or "
            "`ignore_class` for a label to leave out"
        )
    return table
