"""Reverse cross-entropy."""

import math

from keras_noisy.losses.base._math import passive
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss

#: `-log 0`, clipped as in the paper.
A = -math.log(1e-4)


@robust_loss
class RCE(TrueClassLoss):
    """Reverse cross-entropy (RCE), a multiple of MAE.

    Cross-entropy with label and prediction exchanged, where `log 0` is replaced
    by `log 1e-4`. It is symmetric like `MAE`, and made for combinations such as
    `SCE` and `NCE+RCE`, whose weights assume this scale. Alone, it starts as
    badly as `MAE` with many classes: use `logit_bias="auto"` there.

    Formula:

    ```
    loss = A * (1 - p_y),  A = -log(1e-4) = 9.21034
    ```

    where `p_y` is the probability of the label.

    Example:

    >>> from keras_noisy.losses import RCE
    >>> float(RCE()([1], [[0.5, 0.25, 0.25]]))
    6.907...

    References:
        - Wang et al., Symmetric cross entropy for robust learning with noisy
          labels, ICCV 2019, arXiv 1908.06112
    """

    @staticmethod
    def formula(log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return passive(log_p, A)

    @staticmethod
    def error_powers() -> dict[float, float]:
        """The error is `-A p (1 - p)`."""
        return {1.0: -A}
