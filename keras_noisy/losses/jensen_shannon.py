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
    views = [ops.exp(log_p) for log_p in log_views]
    mixture = pi * targets + ((1 - pi) / len(views)) * sum(views)
    log_mixture = ops.log(at_least(mixture, TINY))
    of_views = sum(
        ops.sum(p * (log_p - log_mixture), axis=-1)
        for p, log_p in zip(views, log_views, strict=True)
    )
    log_targets = ops.log(at_least(targets, TINY))
    of_label = ops.sum(targets * (log_targets - log_mixture), axis=-1)
    divergence = pi * of_label + ((1 - pi) / len(views)) * of_views
    return divergence / (-(1 - pi) * math.log1p(-pi))


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
        log_m = of.where(
            log_p > -1,
            of.log1p(-rest * complement(at_least(log_p, -1.0))),
            of.log(p + pi * not_p),
        )
        # log(m / p), which a small pi must not round away.
        near = at_least(log_p, -10.0)
        log_ratio = of.where(
            log_p > -10,
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
