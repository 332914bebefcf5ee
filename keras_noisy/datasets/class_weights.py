"""Weights of classes by their frequency."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import boolean, choice, integer, invalid
from keras_noisy._label_arrays import class_labels

METHODS = ("balanced", "effective", "class_based_effective")
#: Base of the effective number, and what is added to it for the rarest class.
BASE, MORE = 0.9999, 1e-5


def class_weights(
    labels: Any,
    method: str = "balanced",
    num_classes: int | None = None,
    normalize: bool = True,
) -> dict[int, float]:
    """Weights of classes, larger for rarer ones, for `class_weight` of `fit`.

    To sample by weight, turn them into sample weights with `sample_weights`.

    Formula:

    ```
    w_k = 1 / n_k                                    # "balanced"
    w_k = (1 - b) / (1 - b ** n_k)                   # "effective"
    w_k = (1 - b_k) / (1 - b_k ** n_k)               # "class_based_effective"
    b = 0.9999,  b_k = b + 1e-5 * log(n_max / n_k) / log(n_max / n_min)
    ```

    where `n_k` is the number of samples of class `k`. If all counts are equal,
    `b_k` is `b`. A class without samples has weight 0.

    Args:
        labels: Integer labels of all training samples, shape `(N,)` or
            `(N, 1)`.
        method: `"balanced"`, `"effective"` or `"class_based_effective"`.
            Defaults to `"balanced"`.
        num_classes: Number of classes. Defaults to `None`, the largest label
            plus one.
        normalize: Whether to scale the weights so that their mean over all
            samples is 1, which keeps the effective learning rate. Defaults to
            `True`.

    Returns:
        A dictionary from class to weight.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.datasets import class_weights
    >>> class_weights([0, 0, 0, 1], "balanced")
    {0: 0.666..., 1: 2.0}

    References:
        - Cui et al., Class-balanced loss based on effective number of samples,
          CVPR 2019, arXiv 1901.05555
        - Li, Cheung, Lu, Long-tailed visual recognition via Gaussian clouded
          logit adjustment, CVPR 2022
    """
    if num_classes is not None:
        num_classes = integer("num_classes", num_classes, 1)
    array = class_labels("labels", labels, num_classes)
    if len(array) == 0:
        raise invalid("labels", labels, "at least one label")
    method = choice("method", method, METHODS)
    counts = np.bincount(array, minlength=num_classes or 0)
    seen = counts > 0
    n = np.maximum(counts, 1).astype("float64")
    if method == "balanced":
        weights = 1 / n
    else:
        base = np.full(len(n), BASE)
        rarity = np.log(n[seen].max() / n)
        if method == "class_based_effective" and rarity[seen].max() > 0:
            base += MORE * rarity / rarity[seen].max()
        weights = (1 - base) / -np.expm1(n * np.log(base))
    weights[~seen] = 0.0
    if boolean("normalize", normalize):
        weights *= len(array) / np.sum(counts * weights)
    return dict(enumerate(weights.tolist()))
