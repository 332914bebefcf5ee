"""Focal loss."""

from keras import ops

from keras_noisy.losses.base._arguments import flag, number
from keras_noisy.losses.base._math import (
    LOWEST,
    at_least,
    complement,
    in_place,
    plain_ops,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


def focal(log_p: Tensor, gamma: float, stop_weight_gradient: bool) -> Tensor:
    """`-(1 - p) ** gamma * log(p)`, elementwise."""
    log_p = at_least(log_p, LOWEST)
    return -focal_weight(log_p, gamma, stop_weight_gradient) * log_p


def focal_weight(log_p: Tensor, gamma: float, stop_gradient: bool) -> Tensor:
    """`(1 - p) ** gamma`, elementwise."""
    if stop_gradient:
        rest = plain_ops().expm1(ops.stop_gradient(log_p))
        rest = in_place("abs", rest)
        return in_place("sqrt", rest) if gamma == 0.5 else rest**gamma
    rest = complement(log_p)
    return ops.sqrt(rest) if gamma == 0.5 else rest**gamma


def focal_slope(
    log_p: Tensor, weight: Tensor, gamma: float, stop_weight_gradient: bool
) -> Tensor:
    """Derivative of `focal_weight(log_p) * log_p` by `log_p`."""
    if stop_weight_gradient:
        return ops.stop_gradient(weight)
    rest = complement(log_p)
    return weight * (1 - gamma * ops.exp(log_p) * log_p / rest)


@robust_loss
class Focal(TrueClassLoss):
    """Focal loss, cross-entropy with less weight on easy samples.

    Not robust by itself, as wrong labels are hard samples. Its normalized form
    `NFL` is robust. The weight `(1 - p_y) ** gamma` carries no gradient, as in
    the code of the noisy-label papers; `stop_weight_gradient=False` gives the
    focal loss of object detection.

    Formula:

    ```
    loss = -(1 - p_y) ** gamma * log(p_y)
    ```

    where `p_y` is the probability of the label.

    Args:
        gamma: Power of the weight, a number of at least 0; 0 is cross-entropy.
            Defaults to `0.5`.
        stop_weight_gradient: Whether the weight counts as a constant in the
            gradient. Defaults to `True`.

    Example:

    >>> from keras_noisy.losses import Focal
    >>> float(Focal(gamma=2.0)([0], [[0.5, 0.25, 0.25]]))  # log(2) / 4
    0.173...

    References:
        - Lin et al., Focal loss for dense object detection, ICCV 2017, arXiv
          1708.02002
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    gamma: float = number(0.5, 0, closed="low")
    stop_weight_gradient: bool = flag(True)

    @staticmethod
    def formula(
        log_p: Tensor, gamma: float, stop_weight_gradient: bool
    ) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return focal(log_p, gamma, stop_weight_gradient)
