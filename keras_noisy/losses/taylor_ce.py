"""Taylor cross-entropy."""

from keras_noisy.losses.base._arguments import whole_number
from keras_noisy.losses.base._math import complement
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class TaylorCE(TrueClassLoss):
    """Taylor cross-entropy, the first terms of the series of cross-entropy.

    One term is half of `MAE`, and infinitely many are cross-entropy. Between
    them, `t` trades robustness for learning speed. The paper searches 2 to 6.

    Formula:

    ```
    loss = sum((1 - p_y) ** i / i for i in 1, ..., t)
    ```

    where `p_y` is the probability of the label.

    Args:
        t: Number of terms, an integer of at least 1. Defaults to `2`.

    Example:

    >>> from keras_noisy.losses import TaylorCE
    >>> float(TaylorCE(t=2)([0], [[0.5, 0.25, 0.25]]))  # 0.5 + 0.5 ** 2 / 2
    0.625

    References:
        - Feng et al., Can cross entropy loss be robust to label noise?, IJCAI
          2020
    """

    t: int = whole_number(2)

    @staticmethod
    def formula(log_p: Tensor, t: int) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        rest = complement(log_p)
        total = 0.0
        for i in range(t, 0, -1):
            total = rest * (1 / i + total)
        return total
