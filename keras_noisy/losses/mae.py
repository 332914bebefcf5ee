"""Mean absolute error."""

from keras import ops

from keras_noisy.losses.base._math import passive
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class MAE(TrueClassLoss):
    """Mean absolute error (MAE) between the label and the prediction.

    The L1 distance of the two distributions. Summed over all labels it is
    constant, so symmetric label noise does not move its minimum. With more than
    a few dozen classes it sends back almost no error at initialization and the
    network does not start to learn: use `MAEStar` there.

    Formula:

    ```
    loss = 2 * (1 - p_y)
    ```

    where `p_y` is the probability of the label; for soft targets `t`,
    `loss = sum_k abs(t[k] - p[k])`.

    Example:

    >>> from keras_noisy.losses import MAE
    >>> float(MAE()([1], [[0.5, 0.25, 0.25]]))
    1.5

    References:
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
    """

    @staticmethod
    def formula(log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return passive(log_p, 2.0)

    @staticmethod
    def target_formula(targets: Tensor, log_p: Tensor) -> Tensor:
        """The L1 distance, which is not linear in the targets."""
        return ops.sum(ops.abs(targets - ops.exp(log_p)), axis=-1)

    @staticmethod
    def error_powers() -> dict[float, float]:
        """The error is `-2 p (1 - p)`."""
        return {1.0: -2.0}
