"""Soft bootstrapping."""

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import in_place, plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss


@robust_loss
class SoftBootstrapping(SummedLoss):
    """Soft bootstrapping: the label mixed with the prediction.

    Cross-entropy with a target that trusts the network a little, so that a
    network that is right resists a wrong label. The gradient flows through the
    target too, so confident predictions are rewarded. It only helps once the
    network has learned something: it starts like cross-entropy.

    Formula:

    ```
    t = beta * onehot(y) + (1 - beta) * p
    loss = -sum(t_k * log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        beta: Weight of the label, a number in [0, 1]; 1 is cross-entropy.
            Defaults to `0.95`.

    Example:

    >>> from keras_noisy.losses import SoftBootstrapping
    >>> float(SoftBootstrapping()([0], [[0.5, 0.25, 0.25]]))
    0.710...

    References:
        - Reed et al., Training deep neural networks on noisy labels with
          bootstrapping, ICLR workshop 2015, arXiv 1412.6596
    """

    beta: float = number(0.95, 0, 1, closed="low high")

    @staticmethod
    def summed(log_p: Tensor) -> Tensor:
        """The values to sum over the classes."""
        return plain_ops().exp(log_p) * log_p

    @staticmethod
    def slope(log_p: Tensor, summed: Tensor) -> Tensor:
        """Derivative of `summed`."""
        return in_place("add", summed / log_p, summed)

    @staticmethod
    def formula(log_p: Tensor, total: Tensor, beta: float) -> Tensor:
        """Loss of the log-probability of the label and of the sum."""
        return -beta * log_p - (1 - beta) * total
