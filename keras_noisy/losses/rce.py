"""Reverse cross-entropy."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor

#: `-log 0`, cut off where the paper cuts it off.
A = -math.log(1e-4)


@keras.saving.register_keras_serializable("keras_noisy")
class RCE(RobustLoss):
    """Reverse cross-entropy (RCE), a multiple of MAE.

    Cross-entropy with label and prediction exchanged, `log 0` being taken for
    `log 1e-4`. Symmetric like `MAE`, and made for combinations such as `SCE`
    and `NCE+RCE`, whose weights assume this scale. Alone it starts as badly as
    `MAE` with many classes: give it `logit_bias="auto"` there.

    Formula:

    ```
    loss = A * (1 - p_y),  A = -log(1e-4) = 9.21034
    ```

    where `p_y` is the probability of the label.

    Args:
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `reduction`, `name` and
            `dtype`, see `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import RCE
    >>> float(RCE()([1], [[0.5, 0.25, 0.25]]))
    6.907...

    References:
        - Wang et al., Symmetric cross entropy for robust learning with noisy
          labels, ICCV 2019, arXiv 1908.06112
    """

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return A * (1 - ops.exp(log_p))

    def error_powers(self) -> dict[float, float]:
        """The error is `-A p (1 - p)`."""
        return {1.0: -A}
