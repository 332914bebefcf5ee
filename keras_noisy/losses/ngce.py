"""Normalized generalized cross-entropy."""

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import in_place
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.normalized import NormalizedLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class NGCE(NormalizedLoss):
    """Normalized generalized cross-entropy (NGCE).

    `GCE` divided by its sum over all labels, bounded by 1; used like `NCE`,
    with a passive loss. Published `q`: CIFAR-10 0.1, CIFAR-100 0.7.

    Formula:

    ```
    loss = (1 - p_y ** q) / sum(1 - p_k ** q for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        q: A number in (0, 1]. Defaults to `0.1`.

    Example:

    >>> from keras_noisy.losses import NGCE
    >>> float(NGCE(q=1.0)([0], [[0.5, 0.25, 0.25]]))  # 0.5 / 2
    0.25

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    q: float = number(0.1, 0, 1, closed="high")

    @staticmethod
    def class_losses(log_p: Tensor, q: float) -> Tensor:
        """Loss of every class as if it were the label, up to a factor."""
        if q < 0.01:  # The difference below would be rounded.
            return -in_place("expm1", q * log_p)
        return 1 - in_place("exp", q * log_p)

    @staticmethod
    def slope(log_p: Tensor, summed: Tensor, q: float) -> Tensor:
        """Derivative of `class_losses`."""
        return in_place("multiply", in_place("subtract", summed, 1.0), q)
