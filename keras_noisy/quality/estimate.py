"""The estimated number of wrong labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from keras_noisy._random import Random


@dataclass(frozen=True)
class Estimate:
    """How many labels are wrong, and the noise behind them.

    `estimate` of `FeatureQuality`, `PredictionQuality` and `LabelQuality`
    returns it.

    Args:
        rate: Share of wrong labels, in [0, 1].
        interval: Lower and upper end of the 95 % interval of `rate`. It covers
            sampling error only, not the bias of a method for some kinds of
            noise.
        per_class: Share of wrong labels among the samples with each label,
            float64 of shape `(num_classes,)`; NaN if no sample has the label.
        transition: `P(given = j | true = i)`, float64 of shape `(num_classes,
            num_classes)`, for losses such as `ForwardCorrection`.
        prior: Share of samples that truly belong to each class, float64 of
            shape `(num_classes,)`.
        count: Number of wrong labels, `rate` times the number of samples.

    Returns:
        An object with these attributes.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import Estimate
    >>> Estimate(0.1, (0.08, 0.12), np.full(2, 0.1), np.eye(2), np.ones(2), 5)
    Estimate(rate=0.1, interval=(0.08, 0.12), count=5)

    References:
        - Zhu, Song, Liu, Clusterability as an alternative to anchor points
          when learning with noisy labels, ICML 2021, arXiv 2102.05291
    """

    rate: float
    interval: tuple[float, float]
    per_class: np.ndarray = field(repr=False)
    transition: np.ndarray = field(repr=False)
    prior: np.ndarray = field(repr=False)
    count: int


def estimate_of(
    transition: np.ndarray, labels: np.ndarray, error: float
) -> Estimate:
    """The estimate that follows from a transition matrix.

    `error` is the standard error of the rate.
    """
    given = np.bincount(labels, minlength=len(transition)) / len(labels)
    prior = true_shares(transition, given)
    # A further matrix of many classes would not fit into memory.
    total, right = prior @ transition, prior * np.diag(transition)
    right = np.divide(right, total, out=np.ones(len(total)), where=total > 0)
    per_class = np.where(given > 0, 1 - right, np.nan)
    rate = min(float(given @ (1 - right)), 1.0)  # shares may sum above 1
    low, high = np.clip([rate - 1.96 * error, rate + 1.96 * error], 0, 1)
    return Estimate(
        rate,
        (float(low), float(high)),
        per_class,
        transition,
        prior,
        round(rate * len(labels)),
    )


def posterior(
    estimate: Estimate,
    labels: np.ndarray,
    parts: Iterable[tuple[slice, np.ndarray]],
) -> Iterator[tuple[slice, np.ndarray]]:
    """Probability of each true class, given labels and shares of the classes.

    Rows of the labels come with their shares, some at a time.
    """
    columns = np.ascontiguousarray(estimate.transition.T)
    for rows, shares in parts:
        # Mix in the class prior, so that no share is 0.
        shares = 0.98 * shares + 0.02 * estimate.prior
        shares *= columns[labels[rows]]
        yield rows, shares / shares.sum(axis=1, keepdims=True)


def largest(values: np.ndarray, most: int) -> np.ndarray:
    """Places of the largest values, those of equal ones at random.

    Many predictions are exactly 1 in float32. In their order, which is often
    that of the classes, the estimate would be that of the first classes.
    """
    mixed = Random(0, 21).permutation(len(values))
    return mixed[np.argsort(-values[mixed], kind="stable")[:most]]


def worst_first(*scores: np.ndarray) -> np.ndarray:
    """Places by the first score; the others, and then chance, break ties.

    In their order, equal ones at the top would be those of the first classes.
    """
    chance = Random(0, 21).uniform(len(scores[0]))
    return np.lexsort([chance, *(-score for score in reversed(scores))])


def true_shares(transition: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Shares of the true classes that make the given labels most likely."""
    prior = np.full(len(given), 1 / len(given))
    for _ in range(200):
        total = prior @ transition
        ratio = np.divide(
            given, total, out=np.zeros(len(given)), where=total > 0
        )
        before, prior = prior, prior * (transition @ ratio)
        prior /= prior.sum()
        if np.abs(prior - before).max() < 1e-9 / len(given):
            break  # Each step reads the matrix twice.
    return prior
