"""Wrong labels drawn from a transition matrix."""

from typing import Any, NamedTuple

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._label_arrays import class_labels
from keras_noisy._noise_checks import rounded
from keras_noisy._random import Random
from keras_noisy._stochastic import transition_matrix


class Corruption(NamedTuple):
    """What the functions that make wrong labels return.

    Args:
        labels: The noisy labels, in the shape of the given ones.
        changed: Which labels were changed, a boolean array of shape `(N,)`;
            of `flip_labels`, in the shape of the labels.
        rate: Share of these, a float.

    Example:

    >>> from keras_noisy.noise import corrupt, symmetric
    >>> corrupt([0, 1, 1, 0], symmetric(2, 0.5), mode="exact").rate
    0.5
    """

    labels: np.ndarray
    changed: np.ndarray
    rate: float


def corrupt(
    labels: Any, transition: Any, mode: str = "bernoulli", seed: int = 0
) -> Corruption:
    """Draw noisy labels from clean ones by a transition matrix.

    Use it in experiments with known noise. Always pass the clean labels:
    noise on top of noise follows another matrix. The same seed gives the
    same labels on every machine and with every version of NumPy.

    Formula:

    ```
    P(noisy = j | true = i) = T_ij
    ```

    Args:
        labels: Clean labels, integers in `[0, num_classes)` of shape `(N,)` or
            `(N, 1)`. They are not changed.
        transition: Row-stochastic matrix of shape
            `(num_classes, num_classes)`: the result of `symmetric`,
            `pair_flip` or `asymmetric`, or your own.
        mode: How many labels change. `"bernoulli"` draws each label
            independently, so the number varies. `"exact"` changes exactly
            `round((1 - T_ii) * n_i)` of the `n_i` samples of class i, and
            draws which ones and their new classes. Defaults to
            `"bernoulli"`.
        seed: Seed of the draw, an integer of at least 0. Defaults to `0`.

    Returns:
        `Corruption(labels, changed, rate)`: the noisy labels, in the shape of
        `labels` and in its integer type if that can hold every class; a
        boolean array of shape `(N,)`; the share of changed labels, a float.

    Raises:
        ValueError: If labels are not whole numbers in `[0, num_classes)`, the
            matrix is not row-stochastic, or another argument is invalid.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import corrupt, symmetric
    >>> clean = np.arange(10).repeat(100)
    >>> noisy, changed, rate = corrupt(clean, symmetric(10, rate=0.4), "exact")
    >>> rate
    0.4
    >>> bool(np.all((noisy != clean) == changed))
    True

    References:
        - Patrini et al., Making deep neural networks robust to label noise,
          CVPR 2017, arXiv 1609.03683
    """
    transition = transition_matrix("transition", transition)
    num_classes = len(transition)
    clean = class_labels("labels", labels, num_classes)
    dtype = np.promote_types(clean.dtype, np.min_scalar_type(num_classes - 1))
    noisy = clean.astype(dtype)
    # NumPy sorts short integers in linear time.
    clean = clean.astype(np.min_scalar_type(num_classes - 1))
    random = Random(integer("seed", seed, 0), 1)

    # `cumsum` adds in a fixed order: the last bit of `sum` depends on the
    # machine.
    rows = np.cumsum(transition, axis=1)
    change = 1 - np.diag(transition) / rows[:, -1]
    if mode == "bernoulli":
        changed = random.uniform(len(clean)) < change[clean]
    elif mode == "exact":
        changed = _exact(clean, change, random)
    else:
        raise invalid("mode", mode, '"bernoulli" or "exact"')

    index = np.flatnonzero(changed)
    index = index[np.argsort(clean[index], kind="stable")]
    draws = random.uniform(len(index))
    stop = 0
    for label, count in enumerate(np.bincount(clean[index])):
        if count:
            start, stop = stop, stop + count
            others = transition[label].copy()
            others[label] = 0
            noisy[index[start:stop]] = draw(others, draws[start:stop])
    return finish(labels, noisy, changed)


def draw(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """A class for each number in (0, 1), by weights of shape `(num_classes,)`.

    A class of weight 0 is never drawn.
    """
    edges = np.cumsum(weights)
    return np.searchsorted(edges / edges[-1], uniform, side="right")


def finish(labels: Any, noisy: np.ndarray, changed: np.ndarray) -> Corruption:
    """The result, in the shape of the given labels."""
    rate = float(changed.mean()) if changed.size else 0.0
    return Corruption(noisy.reshape(np.shape(labels)), changed, rate)


def _exact(clean: np.ndarray, change: np.ndarray, random: Random) -> np.ndarray:
    counts = np.bincount(clean, minlength=len(change))
    wanted = rounded(change * counts)
    order = np.argsort(clean, kind="stable")
    draws = random.uniform(len(clean))[order]
    chosen = []
    for stop, count, number in zip(
        np.cumsum(counts), counts, wanted, strict=True
    ):
        if number:
            smallest = np.argpartition(draws[stop - count : stop], number - 1)
            chosen.append(stop - count + smallest[:number])
    changed = np.zeros(len(clean), bool)
    if chosen:
        changed[order[np.concatenate(chosen)]] = True
    return changed
