"""Normalized focal loss."""

from keras_noisy.losses.base._arguments import flag, number
from keras_noisy.losses.base._math import in_place
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.normalized import NormalizedLoss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.focal import focal_slope, focal_weight


@robust_loss
class NFL(NormalizedLoss):
    """Normalized focal loss (NFL), an active loss that resists wrong labels.

    The focal loss divided by its sum over all labels; used like `NCE`. The
    weights `(1 - p) ** gamma` carry no gradient, neither in the numerator nor
    in the denominator, as in the authors' code; `stop_weight_gradient=False`
    gives the true gradient.

    Formula:

    ```
    l(p) = -(1 - p) ** gamma * log(p)
    loss = l(p_y) / sum(l(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        gamma: Power of the weight, a number in [0, 100]; 0 is `NCE`. Defaults
            to `0.5`.
        stop_weight_gradient: Whether the weights count as constants in the
            gradient. Defaults to `True`.

    Example:

    >>> from keras_noisy.losses import NFL
    >>> float(NFL(gamma=0.0)([0], [[0.5, 0.25, 0.25]]))  # NCE
    0.2...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    gamma: float = number(0.5, 0, 100, closed="low high")
    stop_weight_gradient: bool = flag(True)

    @staticmethod
    def class_losses(
        log_p: Tensor, gamma: float, stop_weight_gradient: bool
    ) -> Tensor:
        """Loss of every class as if it were the label, up to a factor."""
        return focal_weight(log_p, gamma, stop_weight_gradient) * log_p

    @staticmethod
    def slope(
        log_p: Tensor, summed: Tensor, gamma: float, stop_weight_gradient: bool
    ) -> Tensor:
        """Derivative of `class_losses`."""
        weight = in_place("divide", summed, log_p)
        return focal_slope(log_p, weight, gamma, stop_weight_gradient)
