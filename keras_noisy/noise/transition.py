"""Transition matrices: how often a sample of a class gets each label."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._noise_checks import noise_rate

#: `{true class: wrong label}` for the class-dependent noise of the papers.
FLIPS = {
    "mnist": {7: 1, 2: 7, 5: 6, 6: 5, 3: 8},
    "fashion_mnist": {9: 7, 7: 5, 2: 6, 4: 3, 3: 4},
    "cifar10": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3},
}

#: Fine classes of each superclass of CIFAR-100, in the order of the labels.
CIFAR100_SUPERCLASSES = (
    (4, 30, 55, 72, 95),
    (1, 32, 67, 73, 91),
    (54, 62, 70, 82, 92),
    (9, 10, 16, 28, 61),
    (0, 51, 53, 57, 83),
    (22, 39, 40, 86, 87),
    (5, 20, 25, 84, 94),
    (6, 7, 14, 18, 24),
    (3, 42, 43, 88, 97),
    (12, 17, 37, 68, 76),
    (23, 33, 49, 60, 71),
    (15, 19, 21, 31, 38),
    (34, 63, 64, 66, 75),
    (26, 45, 77, 79, 99),
    (2, 11, 35, 46, 98),
    (27, 29, 44, 78, 93),
    (36, 50, 65, 74, 80),
    (47, 52, 56, 59, 96),
    (8, 13, 48, 58, 90),
    (41, 69, 81, 85, 89),
)


def symmetric(
    num_classes: int, rate: float, include_true: bool = False
) -> np.ndarray:
    """Transition matrix of symmetric noise: any other label, equally often.

    The standard noise of the papers has two variants. Without the true class
    the share of wrong labels is `rate`; with `include_true=True` it is
    slightly smaller. State the variant when you report a result.

    Formula:

    ```
    T_ij = rate / (num_classes - 1), T_ii = 1 - rate
    T_ij = rate / num_classes, T_ii = 1 - rate + T_ij      # include_true
    ```

    Args:
        num_classes: Number of classes, an integer of at least 2.
        rate: Probability that a label is redrawn, in [0, 1].
        include_true: Whether the draw may return the true class, so that
            the share of wrong labels is
            `rate * (num_classes - 1) / num_classes`. Defaults to `False`.

    Returns:
        Array of shape `(num_classes, num_classes)`, float64. Row i holds the
        probabilities of the labels for samples of class i.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.noise import symmetric
    >>> symmetric(3, rate=0.4)
    array([[0.6, 0.2, 0.2],
           [0.2, 0.6, 0.2],
           [0.2, 0.2, 0.6]])

    References:
        - Patrini et al., Making deep neural networks robust to label noise,
          CVPR 2017, arXiv 1609.03683
        - Liu et al. (true class included), Early-learning regularization
          prevents memorization of noisy labels, NeurIPS 2020,
          arXiv 2007.00151
    """
    num_classes = integer("num_classes", num_classes, 2)
    rate = noise_rate(rate)
    include_true = boolean("include_true", include_true)
    choices = num_classes if include_true else num_classes - 1
    matrix = np.full((num_classes, num_classes), rate / choices)
    np.fill_diagonal(matrix, 1 - rate * (num_classes - 1) / choices)
    return matrix


def pair_flip(num_classes: int, rate: float) -> np.ndarray:
    """Transition matrix of pair noise: wrong labels are the next class.

    The class after the last one is the first. Pair noise is harder than
    symmetric noise of the same rate, since all wrong labels of a class agree.
    The usual rate is 0.45.

    Formula:

    ```
    T_ii = 1 - rate, T_ij = rate for j = (i + 1) mod num_classes
    ```

    Args:
        num_classes: Number of classes, an integer of at least 2.
        rate: Share of wrong labels, in [0, 1].

    Returns:
        Array of shape `(num_classes, num_classes)`, float64. Row i holds the
        probabilities of the labels for samples of class i.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.noise import pair_flip
    >>> pair_flip(3, rate=0.25)
    array([[0.75, 0.25, 0.  ],
           [0.  , 0.75, 0.25],
           [0.25, 0.  , 0.75]])

    References:
        - Han et al., Co-teaching: robust training of deep neural networks
          with extremely noisy labels, NeurIPS 2018, arXiv 1804.06872
    """
    num_classes = integer("num_classes", num_classes, 2)
    return _flip(_cycle(range(num_classes)), rate, num_classes)


def asymmetric(
    flips: str | Mapping[int, int], rate: float, num_classes: int | None = None
) -> np.ndarray:
    """Transition matrix of class-dependent noise: similar classes confused.

    Pass the name of a data set for the noise of the papers, or your own
    mapping. Classes without a flip keep their labels: on CIFAR-10, where five
    of ten classes flip, the share of wrong labels is `rate / 2`.

    Formula:

    ```
    T_ii = 1 - rate, T_ij = rate for j = flips[i]; T_ii = 1 without a flip
    ```

    Args:
        flips: A mapping from true class to wrong label, or one of

            - `"mnist"`: 7 to 1, 2 to 7, 5 and 6 exchanged, 3 to 8.
            - `"fashion_mnist"`: boot to sneaker, sneaker to sandal, pullover
              to shirt, coat and dress exchanged.
            - `"cifar10"`: truck to automobile, bird to airplane, deer to
              horse, cat and dog exchanged.
            - `"cifar100_blocks"`: the next class in its block of five labels,
              circular. Blocks follow the alphabet, so their classes are not
              similar.
            - `"cifar100_superclass"`: the next class in its superclass,
              circular.
        rate: Probability that a label of a class with a flip is wrong, in
            [0, 1].
        num_classes: Number of classes; required for a mapping. Defaults to
            `None`, the number of classes of the data set.

    Returns:
        Array of shape `(num_classes, num_classes)`, float64. Row i holds the
        probabilities of the labels for samples of class i.

    Raises:
        ValueError: If the name is unknown, the rate is outside [0, 1] or a
            mapping does not fit the number of classes.

    Example:

    >>> from keras_noisy.noise import asymmetric
    >>> asymmetric("cifar10", rate=0.4)[9, [1, 9]]
    array([0.4, 0.6])
    >>> asymmetric({0: 1}, rate=0.1, num_classes=2)
    array([[0.9, 0.1],
           [0. , 1. ]])

    References:
        - Patrini et al. (MNIST, CIFAR-10 and blocks), Making deep neural
          networks robust to label noise, CVPR 2017, arXiv 1609.03683
        - Zhang, Sabuncu (Fashion-MNIST), Generalized cross entropy loss for
          training deep neural networks with noisy labels, NeurIPS 2018,
          arXiv 1805.07836
        - Englesson, Azizpour (superclasses), Generalized Jensen-Shannon
          divergence loss for learning with noisy labels, NeurIPS 2021,
          arXiv 2105.04522
    """
    if isinstance(flips, Mapping):
        num_classes = integer("num_classes", num_classes, 2)
        for pair in flips.items():
            for label in pair:
                if not 0 <= integer("flips", label) < num_classes:
                    raise invalid(
                        "flips", flips, f"labels in [0, {num_classes})"
                    )
        return _flip(flips, rate, num_classes)
    known = [*FLIPS, "cifar100_blocks", "cifar100_superclass"]
    if not isinstance(flips, str) or flips not in known:
        raise invalid("flips", flips, f"a mapping or one of {known}")
    if flips in FLIPS:
        found, mapping = 10, FLIPS[flips]
    else:
        groups: Sequence[Sequence[int]] = CIFAR100_SUPERCLASSES
        if flips == "cifar100_blocks":
            groups = [range(first, first + 5) for first in range(0, 100, 5)]
        found, mapping = 100, {}
        for group in groups:
            mapping |= _cycle(group)
    if num_classes not in (None, found):
        raise invalid("num_classes", num_classes, f"{found} for {flips!r}")
    return _flip(mapping, rate, found)


# Names that say what is returned; the papers use the short names.
symmetric_transition = symmetric
pair_flip_transition = pair_flip
asymmetric_transition = asymmetric


def _cycle(classes: Sequence[int]) -> dict[int, int]:
    return dict(zip(classes, [*classes[1:], classes[0]], strict=True))


def _flip(
    flips: Mapping[int, int], rate: float, num_classes: int
) -> np.ndarray:
    rate = noise_rate(rate)
    matrix = np.eye(num_classes)
    for true, wrong in flips.items():
        matrix[true, true] -= rate
        matrix[true, wrong] += rate
    return matrix
