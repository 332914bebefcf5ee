"""Partially Huberized cross-entropy."""

import math

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class PHuberCE(TrueClassLoss):
    """Partially Huberized cross-entropy (PHuber-CE).

    Cross-entropy that is linear for bad samples: its derivative with respect to
    the probability is clipped at `-tau`, so that samples with a probability
    below `1 / tau` count only linearly. Published `tau`: MNIST and CIFAR-100
    10, CIFAR-10 2. With many more than `tau` classes it starts like `MAE`: use
    a larger `tau` or `logit_bias="auto"`.

    Formula:

    ```
    loss = -tau * p_y + log(tau) + 1   where p_y <= 1 / tau
    loss = -log(p_y)                   elsewhere
    ```

    where `p_y` is the probability of the label.

    Args:
        tau: Largest slope, a number of at least 1. At 1 the loss is `1 - p_y`,
            and with a growing `tau` it approaches cross-entropy. Defaults to
            `10.0`.

    Example:

    >>> from keras_noisy.losses import PHuberCE
    >>> loss = PHuberCE(tau=2.0, reduction=None)
    >>> float(loss([1], [[0.5, 0.25, 0.25]])[0])  # log 2 + 0.5
    1.193...

    References:
        - Menon et al., Can gradient clipping mitigate label noise?, ICLR 2020
    """

    tau: float = number(10.0, 1, closed="low")

    @staticmethod
    def formula(log_p: Tensor, tau: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        log_tau = math.log(tau)
        of = plain_ops()
        linear = log_tau + 1 - tau * of.exp(log_p)
        return of.where(log_p <= -log_tau, linear, -log_p)
