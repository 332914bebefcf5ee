"""Noise that depends on the image."""

from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._containers import first_not_finite, slices
from keras_noisy._label_arrays import class_labels
from keras_noisy._noise_checks import noise_rate, stacked
from keras_noisy._random import Random
from keras_noisy.noise.corrupt import Corruption, finish

# Samples at a time, which bounds the memory.
CHUNK = 1024
STANDARD_DEVIATION = 0.1


def instance_dependent(
    images: Any,
    labels: Any,
    rate: float,
    seed: int = 0,
    num_classes: int | None = None,
) -> Corruption:
    """Draw noisy labels that depend on the class and on the image.

    This noise is closer to human errors than class-dependent noise: every
    sample has its own noise rate, and similar images of a class get the same
    wrong label. A random projection for each class stands for the annotator.
    The same seed gives the same labels on every machine.

    Formula:

    ```
    q_i ~ normal(rate, .1), truncated to [0, 1]
    W_k ~ standard normal of shape (d, num_classes), for each class k
    P_i = q_i * softmax(x_i W_k without class k); P_i[k] = 1 - q_i
    ```

    The mean of the truncated normal is above small rates (about .08 just above
    rate 0) and below large ones. The projections are drawn class by class: the
    memory holds one of them, `d * num_classes` numbers, and a thousand images.

    Args:
        images: Array of shape `(N, ...)`, with `d` numbers per image. Integers
            are divided by 255; floats are used as they are.
        labels: Clean labels, integers in `[0, num_classes)` of shape `(N,)` or
            `(N, 1)`. They are not changed.
        rate: Mean of the noise rates before truncation, in [0, 1]; 0 changes
            no label.
        seed: Seed of the draw, an integer of at least 0. Defaults to `0`.
        num_classes: Number of classes. Defaults to `None`, one more than the
            largest label.

    Returns:
        `Corruption(labels, changed, rate)`, see `corrupt`. The rate is the
        share of changed labels.

    Raises:
        ValueError: If an argument is outside its range, images and labels
            differ in number, or pixels are not finite.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import instance_dependent
    >>> images = np.random.default_rng(0).random((1000, 8, 8))
    >>> labels = np.arange(1000) % 10
    >>> noisy, changed, rate = instance_dependent(images, labels, rate=0.4)
    >>> 0.35 < rate < 0.45
    True

    References:
        - Xia et al., Part-dependent label noise: towards instance-dependent
          label noise, NeurIPS 2020, arXiv 2006.07836
    """
    if num_classes is not None:
        num_classes = integer("num_classes", num_classes, 2)
    clean = class_labels("labels", labels, num_classes)
    images = stacked("images", images)
    if len(images) != len(clean) or images.ndim < 2:
        raise ValueError(
            "Invalid value for argument `images`. Expected one image for each "
            f"of the {len(clean)} labels. Received: images.shape={images.shape}"
        )
    if images.dtype.kind not in "iuf":
        raise invalid("images.dtype", images.dtype, "integers or floats")
    for start in range(0, len(images), CHUNK):
        first = first_not_finite(images[start : start + CHUNK])
        if first is not None:
            raise ValueError(
                "Invalid value for argument `images`. Expected finite pixels. "
                f"Received: NaN or infinity in images[{start + first}]"
            )
    rate, seed = noise_rate(rate), integer("seed", seed, 0)
    if num_classes is None:
        num_classes = max(2, int(clean.max(initial=0)) + 1)

    # Separate streams, so that the draws do not depend on the chunks.
    noise_rates = _truncated_normal(rate, len(clean), Random(seed, 2, 0))
    draws = Random(seed, 2, 1).uniform(len(clean))
    changed = Random(seed, 2, 2).uniform(len(clean)) < noise_rates
    changed &= rate > 0
    dtype = np.promote_types(clean.dtype, np.min_scalar_type(num_classes - 1))
    noisy = clean.astype(dtype)
    for label in np.unique(clean[changed]):
        of_class = np.flatnonzero(changed & (clean == label))
        shape = int(np.prod(images.shape[1:])), num_classes
        projection = Random(seed, 2, 3, int(label)).normal(*shape)
        for part in slices(len(of_class), CHUNK):
            chunk = of_class[part]
            scores = _flat(images[chunk]) @ projection
            scores[:, label] = -np.inf
            noisy[chunk] = _drawn(scores, draws[chunk])
    return finish(labels, noisy, changed)


def _drawn(scores: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """A class for each row of scores, in proportion to their exponentials."""
    scores -= scores.max(axis=1, keepdims=True)
    edges = np.cumsum(np.exp(scores), axis=1)
    below = edges / edges[:, -1:] <= draws[:, None]
    return below.sum(axis=1)


def _truncated_normal(mean: float, count: int, random: Random) -> np.ndarray:
    values = np.full(count, -1.0)
    outside = np.arange(count)
    while len(outside):
        normal = random.normal(len(outside), 1)[:, 0]
        values[outside] = mean + STANDARD_DEVIATION * normal
        outside = np.flatnonzero((values < 0) | (values > 1))
    return values


def _flat(images: np.ndarray) -> np.ndarray:
    scale = 255 if images.dtype.kind in "iu" else 1
    return images.reshape(len(images), -1).astype("float64") / scale
