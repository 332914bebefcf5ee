"""Soft bootstrapping."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class SoftBootstrapping(DistributionLoss):
    """Soft bootstrapping: the label mixed with the prediction.

    Cross-entropy with a target that trusts the network a little, so that a
    network that is right resists a label that is wrong. The gradient flows
    through the target too, so that confident predictions are rewarded. It needs
    a network that has learned something: it starts like cross-entropy.

    Formula:

    ```
    t = beta * onehot(y) + (1 - beta) * p
    loss = -sum(t_k * log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        beta: Weight of the label, a number in [0, 1]; 1 is cross-entropy.
            Defaults to `0.95`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import SoftBootstrapping
    >>> float(SoftBootstrapping()([0], [[0.5, 0.25, 0.25]]))
    0.710...

    References:
        - Reed et al., Training deep neural networks on noisy labels with
          bootstrapping, ICLR workshop 2015, arXiv 1412.6596
    """

    def __init__(self, beta: float = 0.95, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        beta = real("beta", beta, 0, 1, closed="low high")
        self.set_hyperparameters(beta=beta)

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        own = ops.sum(ops.exp(log_p) * log_p, axis=-1)
        return -self.beta * labels.pick(log_p) - (1 - self.beta) * own
