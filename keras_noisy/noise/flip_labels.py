"""Wrong and unknown labels for samples with several labels."""

from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._containers import as_array, floats
from keras_noisy._label_arrays import class_labels
from keras_noisy._random import Random
from keras_noisy.noise.corrupt import Corruption, finish

UNKNOWN = -1


def flip_labels(
    labels: Any, rates: Any, unknown: Any = 0.0, seed: int = 0
) -> Corruption:
    """Flip labels in multi-label data, and make some of them unknown.

    Each label flips independently, with its own rates. The usual error in
    labels of images is a missing label: rates of `(0.0, 0.4)` turn two fifths
    of the ones into zeros and no zero into a one. Pass the same rates to
    `keras_noisy.losses.Binary` as `noise_rates` to correct a loss. The same
    seed gives the same labels on every machine.

    Formula:

    ```
    P(noisy = 1 | true = 0) = rates[0]
    P(noisy = 0 | true = 1) = rates[1]
    ```

    Args:
        labels: Clean labels 0 and 1 of shape `(N, labels)`, or `(N,)` for a
            single one. They are not changed.
        rates: The two probabilities, in [0, 1], for all labels; or for each
            label, of shape `(labels, 2)`; or one number for both.
        unknown: Probability that a label becomes -1, which means unknown: a
            number in [0, 1], or one for each label. Defaults to `0.0`.
        seed: Seed of the draw, an integer of at least 0. Defaults to `0`.

    Returns:
        `Corruption(labels, changed, rate)`: the noisy labels in the shape of
        `labels`; a boolean array of that shape that marks wrong labels; the
        share of wrong labels, a float. Unknown labels do not count as wrong.

    Raises:
        ValueError: If labels are not 0 and 1, or an argument is outside its
            range or has the wrong shape.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import flip_labels
    >>> clean = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    >>> noisy, changed, rate = flip_labels(clean, (0.0, 1.0), unknown=[0, 1])
    >>> noisy.tolist()
    [[0, -1], [0, -1], [0, -1], [0, -1]]
    >>> rate
    0.25

    References:
        - Zhang et al., Simple and robust loss design for multi-label learning
          with missing labels, Preprint 2021, arXiv 2112.07368
    """
    given = as_array("labels", labels)
    if given.ndim not in (1, 2):
        raise ValueError(
            "Invalid value for argument `labels`. Expected 0 and 1 of shape "
            f"(N, labels) or (N,). Received: labels.shape={given.shape}"
        )
    clean = class_labels("labels", given.reshape(-1), 2)
    # The last axis counts the labels of a sample.
    clean = clean.reshape((*given.shape, 1)[:2])
    count = clean.shape[1]
    pairs = _shares("rates", rates, (2,), count)
    hidden = _shares("unknown", unknown, (), count)
    random = Random(integer("seed", seed, 0), 20)
    draws = random.uniform(clean.size).reshape(clean.shape)
    changed = draws < np.where(clean == 1, pairs[..., 1], pairs[..., 0])
    dtype = clean.dtype
    if np.any(hidden > 0):
        dtype = np.promote_types(dtype, "int8")
    noisy = np.where(changed, 1 - clean, clean).astype(dtype)
    is_hidden = random.uniform(clean.size).reshape(clean.shape) < hidden
    noisy[is_hidden] = UNKNOWN
    changed &= ~is_hidden
    return finish(given, noisy, changed.reshape(given.shape))


def _shares(
    name: str, value: Any, shape: tuple[int, ...], count: int
) -> np.ndarray:
    """Probabilities for each label, given for each or for all of them."""
    ending = "".join(f", {size}" for size in shape)
    expected = (
        f"probabilities in [0, 1], of shape ({count}{ending}) or the same for "
        "all labels"
    )
    array = floats(name, value, expected)
    fits = array.shape in ((), shape, (count, *shape))
    if not fits or not np.all((array >= 0) & (array <= 1)):
        raise invalid(name, value, expected)
    return np.broadcast_to(array, (count, *shape))
