"""Normalized negative focal loss."""

from keras_noisy.losses.base._arguments import flag, number
from keras_noisy.losses.base._math import in_place
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.negative import (
    FLOOR,
    LOG_FLOOR,
    NegativeLoss,
)
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.focal import focal_slope, focal_weight


@robust_loss
class NNFL(NegativeLoss):
    """Normalized negative focal loss (NNFL), a passive loss.

    The passive half of `ANL-FL`, whose active half is `NFL`. The weights
    `(1 - p) ** gamma` carry no gradient, as in the authors' code;
    `stop_weight_gradient=False` gives the true gradient. The probabilities
    have the paper's floor of 1e-7. The paper adds the L1 penalty of `NNCE`.

    Formula:

    ```
    l(p) = -(1 - p) ** gamma * log(p),  A = l(1e-7)
    loss = 1 - (A - l(p_y)) / sum(A - l(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        gamma: Power of the weight, a number in [0, 100]; 0 is `NNCE`. Defaults
            to `0.5`.
        stop_weight_gradient: Whether the weights count as constants in the
            gradient. Defaults to `True`.

    Example:

    >>> from keras_noisy.losses import NNFL
    >>> float(NNFL(gamma=0.0)([0], [[0.5, 0.25, 0.25]]))  # NNCE
    0.656...

    References:
        - Ye et al., Active negative loss functions for learning with noisy
          labels, NeurIPS 2023
    """

    gamma: float = number(0.5, 0, 100, closed="low high")
    stop_weight_gradient: bool = flag(True)

    @staticmethod
    def headroom(
        log_p: Tensor, gamma: float, stop_weight_gradient: bool
    ) -> Tensor:
        """`A - l(p)` of every class, at least 0."""
        largest = -((1 - FLOOR) ** gamma) * LOG_FLOOR
        weight = focal_weight(log_p, gamma, stop_weight_gradient)
        return in_place("add", weight * log_p, largest)

    @staticmethod
    def slope(
        log_p: Tensor, gamma: float, stop_weight_gradient: bool
    ) -> Tensor:
        """Derivative of `headroom`."""
        weight = focal_weight(log_p, gamma, stop_weight_gradient)
        return focal_slope(log_p, weight, gamma, stop_weight_gradient)
