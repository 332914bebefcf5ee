"""Asymmetric mean squared error."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
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
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import AMSE
    >>> float(AMSE(a=2.0)([0], [[0.5, 0.25, 0.25]]))  # (2.25 + 2 / 16) / 3
    0.791...

    References:
        - Wang et al., Joint asymmetric loss for learning with noisy labels,
          ICCV 2025, arXiv 2507.17692
    """

    def __init__(self, a: float = 30.0, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        self.set_hyperparameters(a=real("a", a, 1, closed="low"))

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        p = ops.exp(log_p)
        constant = self.a**2 * labels.total(ops.square)
        squares = ops.sum(ops.square(p), axis=-1)
        total = squares - 2 * self.a * labels.pick(p) + constant
        return total / ops.cast(ops.shape(log_p)[-1], log_p.dtype)
