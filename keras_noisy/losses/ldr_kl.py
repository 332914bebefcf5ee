"""Label-distributionally robust loss with KL regularization."""

import math
from typing import Any

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._closed_form import closed_form, is_short
from keras_noisy.losses.base._labels import Labels, SparseLabels
from keras_noisy.losses.base._math import (
    LOWEST,
    TINY,
    at_least,
    entry,
    largest,
    put,
)
from keras_noisy.losses.base._of_label import (
    all_margins,
    log_probability,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor

#: Below this, `softplus(z)` is `exp(z)` to every digit.
DEEP = -36.0


@robust_loss
class LDRKL(DistributionLoss):
    """Label-distributionally robust loss with a KL divergence (LDR-KL).

    Averages the margin losses of all classes with weights that `lambda_` keeps
    near uniform: small values focus on the worst class, large ones weight all
    classes alike, which resists wrong labels. Published `lambda_`: CIFAR-10
    10, CIFAR-100 and mini-WebVision 1. The loss can be negative. The logits
    are first made positive and scaled to mean 1, which depends on more than
    their softmax, so the loss needs `from_logits=True`.

    Formula:

    ```
    s = softplus(z) / mean(softplus(z))
    loss = lambda_ * log(mean(exp((margin * [k != y] + s_k - s_y) / lambda_)
                              for all classes k))
    ```

    where `z` are the logits, `y` is the label, and `[k != y]` is 1 for the
    other classes and 0 for the label.

    Args:
        lambda_: Strength of the regularization, a positive number up to 1000,
            beyond which float32 loses its digits. Defaults to `10.0`.
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

    lambda_: float = number(10.0, 0, 1000, closed="high")
    margin: float = number(0.1, 0, closed="low")

    needs_logits = True

    @staticmethod
    def log_probabilities(logits: Tensor, lambda_: float) -> Tensor:
        """`log_softmax(s / lambda_)`."""
        return ops.log_softmax(_scaled(logits, lambda_)[0], axis=-1)

    @staticmethod
    def formula(
        labels: Labels, log_p: Tensor, lambda_: float, margin: float
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        ratio = margin / lambda_

        def value(x: Tensor) -> Tensor:
            if ratio < 1:
                rest = math.expm1(-ratio) * ops.exp(x)
                return _value(x - ratio - ops.log1p(rest), log_p, lambda_)
            return _value(ops.log_sigmoid(x - ratio), log_p, lambda_)

        # Near p = 1, `log_p` is too coarse for a margin above `lambda_`.
        return labels.mean_of(value, log_p if ratio < 1 else all_margins(log_p))

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        if not isinstance(labels, SparseLabels) or is_short(logits.shape[-1]):
            return super().values(labels, logits, numbers)
        if numbers["logit_bias"] is not None:
            logits = labels.added(logits, numbers["logit_bias"])
        lambda_ = numbers["lambda_"]
        ratio = numbers["margin"] / lambda_
        num_classes = ops.cast(ops.shape(logits)[-1], logits.dtype)

        def forward(logits: Tensor, index: Tensor) -> tuple:
            scaled, *kept = _scaled(logits, lambda_)
            scaled = put(scaled, index, ops.full_like(scaled[:, :1], -ratio))
            return (log_probability(index, scaled),), (scaled, *kept)

        def backward(
            logits: Tensor, kept: Any, upstream: Any, index: Tensor
        ) -> Tensor:
            scaled, offset, factor = kept
            step = factor * upstream[0][:, None]
            p = ops.softmax(scaled, axis=-1)
            # Each logit changes the mean of `s` too.
            of_label = entry(scaled, index) - ops.sum(p * scaled, axis=-1)
            of_label = of_label + ratio * (1 - entry(p, index))
            mean = of_label[:, None] * (lambda_ / num_classes)
            rate = ops.sigmoid(logits + offset)
            at_label = entry(rate, index)[:, None] * step
            return put((p + mean) * rate * -step, index, at_label)

        (log_p,) = closed_form(forward, backward, logits, labels.index)
        return _value(log_p, logits, lambda_)


def _value(log_p: Tensor, logits: Tensor, lambda_: float) -> Tensor:
    """The loss, elementwise, once the margin is taken off the label."""
    num_classes = ops.cast(ops.shape(logits)[-1], logits.dtype)
    return -lambda_ * (log_p + ops.log(num_classes))


def _scaled(logits: Tensor, lambda_: float) -> tuple[Tensor, Tensor, Tensor]:
    """`s / lambda_`, the offset of the logits, and the factor of `s`."""
    # If all are far below 0, a common offset does not change the quotients.
    offset = DEEP - ops.stop_gradient(largest(logits))
    offset = ops.clip(offset, 0.0, -LOWEST)
    positive = ops.softplus(logits + offset)
    total = at_least(ops.sum(positive, axis=-1, keepdims=True), TINY)
    num_classes = ops.cast(ops.shape(logits)[-1], logits.dtype)
    factor = num_classes / lambda_ / total
    return positive * factor, offset, factor
