"""Asymmetric mean squared error."""

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class AMSE(DistributionLoss):
    """Asymmetric mean squared error (AMSE), drawn to `a` instead of 1.

    The passive half of `JAL-CE`, beside `NCE`. For large `a` it behaves like a
    multiple of `MAE` that also flattens the other classes. Published `a`:
    CIFAR-10 30, CIFAR-100 20, mini-WebVision 30.

    Formula:

    ```
    loss = sum((p_k - a * onehot(y)_k) ** 2 for all classes k) / num_classes
    ```

    where `p` is the prediction and `y` the label; soft targets take the place
    of `onehot(y)`.

    Args:
        a: Value that the probability of the label is drawn to, a number of at
            least 1; 1 is the mean squared error. Defaults to `30.0`.

    Example:

    >>> from keras_noisy.losses import AMSE
    >>> float(AMSE(a=2.0)([0], [[0.5, 0.25, 0.25]]))  # (2.25 + 2 / 16) / 3
    0.791...

    References:
        - Wang et al., Joint asymmetric loss for learning with noisy labels,
          ICCV 2025, arXiv 2507.17692
    """

    a: float = number(30.0, 1, closed="low")

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, a: float) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        p = ops.exp(log_p)
        constant = a**2 * labels.total(ops.square)
        squares = ops.sum(ops.square(p), axis=-1)
        total = squares - 2 * a * labels.pick(p) + constant
        return total / ops.cast(ops.shape(log_p)[-1], log_p.dtype)
