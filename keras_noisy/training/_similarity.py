"""How similar samples are to the shots of each class."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._random import Random

Tensor = Any
#: Lower bound of a distance before the reciprocal. Without it the gradient of
#: equal features would be infinite.
LEAST = 1e-6
#: Similarity of a class that is ruled out.
NEVER = -1e30


def similarities(
    features: Tensor, labels: Tensor, is_shot: Tensor, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Similarity of each sample to each class, and shots of each class.

    A similarity is 1 over the mean of the squared differences, over the shots
    of a class and over the features. This mean is the distance to the mean
    shot plus the spread of the shots, so no difference between a sample and a
    shot is stored. A class without shots has NaN.
    """
    if keras.backend.standardize_dtype(features.dtype) != "float64":
        features = ops.cast(features, "float32")
    dtype = features.dtype
    size = ops.cast(features.shape[-1], dtype)
    is_shot = ops.cast(is_shot, dtype)[:, None]
    of_class = ops.one_hot(labels, num_classes, dtype=dtype) * is_shot
    counts = ops.sum(of_class, axis=0)
    by_class = ops.transpose(of_class)
    # Shifting the origin keeps distances; near the middle they round least.
    middle = ops.sum(features * is_shot, axis=0) / ops.sum(counts)
    features = features - ops.stop_gradient(middle)
    means = ops.matmul(by_class, features) / counts[:, None]
    deviations = is_shot * (features - ops.matmul(of_class, means))
    squares = ops.sum(ops.square(deviations), axis=1, keepdims=True)
    spread = ops.matmul(by_class, squares)[:, 0] / counts
    products = ops.matmul(features, ops.transpose(means))
    lengths = ops.sum(ops.square(features), axis=1, keepdims=True)
    distance = lengths - 2 * products + ops.sum(ops.square(means), axis=1)
    distance = (ops.maximum(distance, 0.0) + spread) / size
    return 1 / ops.maximum(distance, LEAST), counts


def log_confidence(
    similarity: Tensor, labels: Tensor, subsets: Tensor | None = None
) -> Tensor:
    """Log-softmax of the label among the classes of its subset."""
    num_classes = similarity.shape[-1]
    if subsets is not None:
        among = ops.take(subsets, labels, axis=0) > 0
        similarity = ops.where(among, similarity, NEVER)
    log_share = ops.log_softmax(similarity, axis=-1)
    of_label = ops.one_hot(labels, num_classes, dtype="bool")
    return ops.sum(ops.where(of_label, log_share, 0.0), axis=-1)


def class_subsets(
    num_classes: int, n_way: int, seed: int, epoch: int
) -> np.ndarray:
    """A row per class: 1 for itself and `n_way - 1` others, else 0."""
    draws = Random(seed, 7, epoch).uniform(num_classes**2)
    draws = draws.reshape(num_classes, num_classes)
    np.fill_diagonal(draws, -1.0)
    chosen = np.argsort(draws, axis=1)[:, :n_way]
    found = np.zeros((num_classes, num_classes), "float32")
    np.put_along_axis(found, chosen, 1.0, axis=1)
    return found
