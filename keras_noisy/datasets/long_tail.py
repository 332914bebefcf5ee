"""A subset of a data set in which some classes are rare."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import choice, integer, real
from keras_noisy._label_arrays import class_labels

PROFILES = ("exponential", "step")


def long_tail(
    labels: Any, imbalance: float, profile: str = "exponential", seed: int = 0
) -> np.ndarray:
    """Indices of samples that make a data set with a long tail.

    Class 0 stays the most frequent, and the last class becomes the rarest.
    For CIFAR-10 and CIFAR-100, the result is exactly the samples of the
    published programs with the same seed. Select by the clean labels, and
    corrupt the labels afterwards.

    Formula:

    ```
    n_k = floor(n_max * imbalance ** (k / (K - 1)))          # "exponential"
    n_k = n_max if k < K // 2 else floor(n_max * imbalance)   # "step"
    ```

    for `K` classes, where `n_max` is the largest number for which every class
    has enough samples. In a balanced data set, all of class 0 is kept.

    Args:
        labels: Integer labels of all samples, shape `(N,)` or `(N, 1)`, with
            every class from 0 to the largest.
        imbalance: Size of the last class divided by the size of the first, in
            (0, 1]; 0.01 is an imbalance ratio of 100.
        profile: `"exponential"`, or `"step"` for a frequent and a rare half.
            Defaults to `"exponential"`.
        seed: An integer of at least 0. Defaults to `0`, as in the published
            programs.

    Returns:
        An int64 array of indices, in increasing order.

    Raises:
        ValueError: If an argument is outside its range, or if a class has no
            sample or would have none.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.datasets import long_tail
    >>> labels = np.repeat(np.arange(10), 5000)
    >>> kept = long_tail(labels, imbalance=0.01)
    >>> np.bincount(labels[kept]).tolist()
    [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]

    References:
        - Cui et al., Class-balanced loss based on effective number of samples,
          CVPR 2019, arXiv 1901.05555
        - Cao et al., Learning imbalanced datasets with label-distribution-aware
          margin loss, NeurIPS 2019, arXiv 1906.07413
    """
    array = class_labels("labels", labels)
    try:
        imbalance = real("imbalance", imbalance, 0, 1, closed="high")
    except ValueError as error:
        raise ValueError(f"{error}. A ratio of 100 is imbalance=0.01") from None
    profile = choice("profile", profile, PROFILES)
    seed = integer("seed", seed, 0)
    found = np.bincount(array)
    if len(found) < 2 or found.min() == 0:
        raise ValueError(
            "Invalid value for argument `labels`. Expected samples of every "
            f"class from 0 to the largest, two at least. Received: "
            f"{len(found)} classes, of which {np.count_nonzero(found == 0)} "
            "have none. Number the classes that are left: `names, labels = "
            "np.unique(labels, return_inverse=True)`"
        )
    classes = len(found)
    if profile == "step":
        shares = np.where(np.arange(classes) < classes // 2, 1.0, imbalance)
    else:
        shares = imbalance ** (np.arange(classes) / (classes - 1.0))
    # 55 / 0.55 is a little less than 100.
    most = int(np.min(found / shares).round(9))
    counts = (most * shares).astype(int)
    if counts.min() == 0:
        raise ValueError(
            f"Invalid value for argument `imbalance`. Expected one that leaves "
            f"every class a sample, as the first has {most}: at least "
            f"{1 / most:.3g}. Received: imbalance={imbalance:g}"
        )
    # The published programs use this legacy generator, which never changes.
    random = np.random.RandomState(seed)
    chosen = []
    for label, count in enumerate(counts):
        samples = np.flatnonzero(array == label)
        random.shuffle(samples)
        chosen.append(samples[:count])
    return np.sort(np.concatenate(chosen))
