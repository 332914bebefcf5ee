"""Peer loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_noisy.calibration.fresh import Fresh
from keras_noisy.losses._transition import Shares
from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._class_sums import Term
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss


@robust_loss
class PeerLoss(SummedLoss):
    """Peer loss: cross-entropy minus the cross-entropy of a random pair.

    Fitting labels that say nothing about the input does not pay off, so the
    noise rate need not be known. The published loss draws a prediction and a
    label from the batch at random for each sample. The batch mean of this loss
    is the mean over all draws, which has the same expectation, no randomness
    and less variance; a single value is the share of its own prediction. With a
    given `prior`, the loss is computed per sample, and does not depend on the
    batch, on its split over devices, or on masks.

    It is unbounded below, and large values of `alpha` reward confidence in any
    class: lower the learning rate, or start with cross-entropy.

    Formula:

    ```
    prior_k = share of the label k in the batch
    loss = -log(p_y) + alpha * sum(prior_k * log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        alpha: Weight of the peer term, a number of at least 0; 0 is
            cross-entropy. Defaults to `1.0`.
        prior: Share of each class among the given labels, num_classes numbers
            that sum to 1. Defaults to `None`, the shares in the batch, or in
            the batch of each device with a TensorFlow strategy.

    Example:

    >>> from keras_noisy.losses import PeerLoss
    >>> loss = PeerLoss(alpha=0.5, prior=[0.5, 0.25, 0.25])
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))
    0.173...

    References:
        - Liu, Guo, Peer loss functions: learning from noisy labels without
          knowing noise rates, ICML 2020, arXiv 1910.03231
    """

    alpha: float = number(1.0, 0, closed="low")
    prior: Any = Shares(None)

    def fresh(self, num_classes: int, **changes: Any) -> Fresh:
        """The loss for calibration; without a prior, the shares are even."""
        if self.prior is not None:
            type(self).prior.check_count(self.prior, num_classes)
            return super().fresh(num_classes, **changes)
        even = {"prior": [1 / num_classes] * num_classes}
        return super().fresh(num_classes, **even, **changes)

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term]:
        """The mean of the log-probabilities over the shares."""
        prior = numbers["prior"]
        if prior is None:
            shares = labels.frequencies(like)
        else:
            shares = ops.convert_to_tensor(prior, like.dtype)
        return [Term(_value, _slope, (shares,))]

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of the log-probability of the label and of the mean."""
        return numbers["alpha"] * next(sums) - log_p


def _value(log_p: Tensor, shares: Tensor) -> Tensor:
    return log_p * shares


def _slope(log_p: Tensor, value: Tensor, shares: Tensor) -> Tensor:
    return shares
