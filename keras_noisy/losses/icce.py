"""Improved categorical cross-entropy, a reconstruction."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses._transforms import LOWEST, with_derivative_of
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


def _coefficients(gamma: float) -> list[float]:
    """`exp(-gamma) gamma^n / (n n!)` for n = 1, 2, ..., while they matter."""
    found: list[float] = []
    power = math.exp(-gamma)
    while len(found) < gamma or power > 1e-9:
        power *= gamma / (len(found) + 1)
        found.append(power / (len(found) + 1))
    return found


@keras.saving.register_keras_serializable("keras_noisy")
class ICCE(RobustLoss):
    """Improved categorical cross-entropy (ICCE), weighted exponentially.

    Cross-entropy that trusts implausible labels exponentially less, in a
    smooth way: its gradient is that of cross-entropy times
    `exp(-gamma * (1 - p_y))`.

    This is a reconstruction from the paper's abstract, which fixes a
    categorical cross-entropy with an exponential weight of the predicted
    distribution. It is not the paper's formula, which is not public.

    Formula:

    ```
    loss = integral of exp(-gamma * (1 - u)) / u over u from p_y to 1
         = exp(-gamma) * (-log(p_y)
           + sum(gamma ** n * (1 - p_y ** n) / (n * n!) for n in 1, 2, ...))
    ```

    where `p_y` is the probability of the label.

    Args:
        gamma: Strength of the weight, a number in [0, 50]; 0 is cross-entropy.
            Defaults to `2.0`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import ICCE
    >>> float(ICCE(gamma=2.0)([0], [[0.5, 0.25, 0.25]]))
    0.414...
    >>> float(ICCE(gamma=0.0)([0], [[0.5, 0.25, 0.25]]))  # cross-entropy
    0.693...

    References:
        - Li et al., Improved categorical cross-entropy loss for training deep
          neural networks with noisy labels, PRCV 2021, doi
          10.1007/978-3-030-88013-2_7
    """

    def __init__(self, gamma: float = 2.0, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        gamma = real("gamma", gamma, 0, 50, closed="low high")
        self.set_hyperparameters(gamma=gamma)

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        log_p = ops.maximum(log_p, LOWEST)
        p = ops.exp(log_p)
        series = 0.0
        coefficients = _coefficients(self.gamma)
        for coefficient in reversed(coefficients):
            series = p * (series + coefficient)
        value = sum(coefficients) - series - math.exp(-self.gamma) * log_p
        weight = ops.stop_gradient(ops.exp(self.gamma * (p - 1)))
        return with_derivative_of(-weight * log_p, value)
