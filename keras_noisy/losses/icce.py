"""Improved categorical cross-entropy, a reconstruction."""

import math

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import (
    LOWEST,
    at_least,
    plain_ops,
    with_derivative_of,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


def _coefficients(gamma: float) -> list[float]:
    """`exp(-gamma) gamma^n / (n n!)` for n = 1, 2, ..., while they matter."""
    found: list[float] = []
    power = math.exp(-gamma)
    while len(found) < gamma or power > 1e-9:
        power *= gamma / (len(found) + 1)
        found.append(power / (len(found) + 1))
    return found


@robust_loss
class ICCE(TrueClassLoss):
    """Improved categorical cross-entropy (ICCE), weighted exponentially.

    Cross-entropy that trusts implausible labels exponentially less: its
    gradient is the gradient of cross-entropy times `exp(-gamma * (1 - p_y))`.

    This is a reconstruction from the paper's abstract, which describes a
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

    gamma: float = number(2.0, 0, 50, closed="low high")

    @staticmethod
    def formula(log_p: Tensor, gamma: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        log_p = at_least(log_p, LOWEST)
        of = plain_ops()
        p = of.exp(log_p)
        series = 0.0
        coefficients = _coefficients(gamma)
        for coefficient in reversed(coefficients):
            series = p * (series + coefficient)
        value = sum(coefficients) - series - math.exp(-gamma) * log_p
        weight = ops.stop_gradient(of.exp(gamma * (p - 1)))
        return with_derivative_of(-weight * log_p, value)
