"""Jensen-Shannon loss."""

import math

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import (
    LOWEST,
    TINY,
    at_least,
    complement,
    plain_ops,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


def scaled_divergence(
    pi: float, targets: Tensor, log_views: list[Tensor]
) -> Tensor:
    """Divergence of targets from the predictions of one or more views."""
    rest = 1 - pi
    views = [ops.exp(log_p) for log_p in log_views]
    mean = sum(views) / len(views)
    log_mixture = ops.log(at_least(pi * targets + rest * mean, TINY))
    log_ratio = ops.log(at_least(targets, TINY)) - log_mixture
    of_each = [log_p - log_mixture for log_p in log_views]
    if pi < 0.05:  # `mixture / view` may round to 1.
        excess = pi * (targets - mean)
        # Of one view, the derivatives of `mean - p` would cancel to rounding.
        apart = [mean - p for p in views] if len(views) > 1 else [0.0]
        of_each = [
            -ops.log1p((excess + x) * ops.exp(-at_least(log_p, -80.0)))
            for x, log_p in zip(apart, log_views, strict=True)
        ]
    elif pi > 0.95:  # `mixture / targets` may round to 1.
        excess = rest * (mean - targets) / at_least(targets, TINY)
        log_ratio = -ops.log1p(excess)
    of_label = ops.sum(targets * log_ratio, axis=-1)
    of_views = sum(
        ops.sum(p * x, axis=-1) for p, x in zip(views, of_each, strict=True)
    )
    divergence = pi * of_label + (rest / len(views)) * of_views
    return divergence / (-rest * math.log1p(-pi))


@robust_loss
class JensenShannon(TrueClassLoss):
    """Jensen-Shannon divergence between label and prediction (JS).

    It approaches cross-entropy for `pi` near 0, and half of `MAE` for `pi`
    near 1. Published `pi` for symmetric noise of 0, 0.2, 0.4, 0.6 and 0.8:
    CIFAR-10 0.1, 0.7, 0.7, 0.9 and 0.9; CIFAR-100 0.1, 0.1, 0.3, 0.5 and 0.3.
    With augmented views of each sample use `GeneralizedJensenShannon`.

    Formula:

    ```
    m = pi * onehot(y) + (1 - pi) * p
    loss = (pi * KL(onehot(y) || m) + (1 - pi) * KL(p || m)) / scale
    scale = -(1 - pi) * log(1 - pi)
    ```

    where `p` is the prediction and `y` the label; soft targets replace
    `onehot(y)`.

    Args:
        pi: Weight of the label, a number in (0, 1). Defaults to `0.5`.

    Example:

    >>> from keras_noisy.losses import JensenShannon
    >>> float(JensenShannon(pi=0.5)([0], [[0.5, 0.25, 0.25]]))
    0.622...

    References:
        - Englesson, Azizpour, Generalized Jensen-Shannon divergence loss for
          learning with noisy labels, NeurIPS 2021, arXiv 2105.04522
    """

    pi: float = number(0.5, 0, 1)

    @staticmethod
    def formula(log_p: Tensor, pi: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        # For other classes m is (1 - pi) p, so that only p_y matters.
        rest, log_rest = 1 - pi, math.log1p(-pi)
        of = plain_ops()
        p, not_p = of.exp(log_p), complement(log_p)
        # 1 - m rounds where m is small, and m itself where it is near 1.
        low = -1.0 if pi < 0.5 else LOWEST
        log_m = of.where(
            log_p > low,
            of.log1p(-rest * complement(at_least(log_p, low))),
            of.log(p + pi * not_p),
        )
        # log(m / p), which a small pi must not round away.
        near = at_least(log_p, -80.0)
        log_ratio = of.where(
            log_p > -80,
            of.log1p(pi * not_p * of.exp(-near)),
            log_m - at_least(log_p, -200.0),
        )
        divergence = -p * log_ratio - log_rest * not_p
        return (rest * divergence - pi * log_m) / (-rest * log_rest)

    @staticmethod
    def target_formula(targets: Tensor, log_p: Tensor, pi: float) -> Tensor:
        """The divergence, which is not linear in the targets."""
        log_p = at_least(log_p, LOWEST)
        return scaled_divergence(pi, targets, [log_p])
