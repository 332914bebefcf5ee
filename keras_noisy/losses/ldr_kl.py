"""Label-distributionally robust loss with KL regularization."""

import math

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._math import LOWEST, at_least, largest
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor

#: Below, `softplus(z)` is `exp(z)` to every digit.
DEEP = -36.0


@robust_loss
class LDRKL(DistributionLoss):
    """Label-distributionally robust loss with a KL divergence (LDR-KL).

    Averages the margin losses of all classes with weights that `lambda_` keeps
    near uniform: small values look at the worst class, large ones at all
    alike, which resists wrong labels. Published `lambda_`: CIFAR-10 10,
    CIFAR-100 and mini-WebVision 1. The loss can be negative. The logits are
    made positive and scaled to the mean 1 first, which depends on more than
    their softmax: it needs `from_logits=True`.

    Formula:

    ```
    s = softplus(z) / mean(softplus(z))
    loss = lambda_ * log(mean(exp((margin * [k != y] + s_k - s_y) / lambda_)
                              for all classes k))
    ```

    where `z` are the logits, `y` is the label, and `[k != y]` is 1 for the
    other classes and 0 for the label.

    Args:
        lambda_: Strength of the regularization, a positive number. Defaults to
            `10.0`.
        margin: Margin, a number of at least 0. Defaults to `0.1`.

    Raises:
        ValueError: If an argument is outside its range, or if `from_logits` is
            not `True`.

    Example:

    >>> from keras_noisy.losses import LDRKL
    >>> loss = LDRKL(from_logits=True)
    >>> float(loss([0], [[0.0, 0.0, 0.0]]))  # almost the margin times 2 / 3
    0.0667...

    References:
        - Zhu, Ying, Yang, Label distributionally robust losses for multi-class
          classification: consistency, robustness and adaptivity, ICML 2023,
          arXiv 2112.14869
    """

    lambda_: float = number(10.0, 0)
    margin: float = number(0.1, 0, closed="low")

    needs_logits = True

    @staticmethod
    def log_probabilities(logits: Tensor, lambda_: float) -> Tensor:
        """`log_softmax(s / lambda_)`."""
        logits = at_least(logits, LOWEST)
        positive = ops.softplus(logits)
        # Where all are far below 0 it underflows, and is exp(logits).
        deep = ops.stop_gradient(largest(logits)) < DEEP
        total = ops.sum(positive, axis=-1, keepdims=True)
        share = positive / ops.where(deep, 1.0, total)
        share = ops.where(deep, ops.softmax(logits, axis=-1), share)
        num_classes = ops.cast(ops.shape(logits)[-1], logits.dtype)
        return ops.log_softmax(share * (num_classes / lambda_), axis=-1)

    @staticmethod
    def formula(
        labels: Labels, log_p: Tensor, lambda_: float, margin: float
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        num_classes = ops.cast(ops.shape(log_p)[-1], log_p.dtype)
        factor = math.expm1(-margin / lambda_)
        logarithm = labels.mean_of(
            lambda log_p: ops.log1p(factor * ops.exp(log_p)) - log_p, log_p
        )
        return margin + lambda_ * (logarithm - ops.log(num_classes))
