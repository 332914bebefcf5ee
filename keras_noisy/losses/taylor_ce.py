"""Taylor cross-entropy."""

from typing import Unpack

import keras

from keras_noisy._arguments import integer
from keras_noisy.losses._transforms import complement
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class TaylorCE(RobustLoss):
    """Taylor cross-entropy, the first terms of the series of cross-entropy.

    One term is half of `MAE`, infinitely many are cross-entropy; in between `t`
    trades speed of learning against robustness. The paper searches 2 to 6.

    Formula:

    ```
    loss = sum((1 - p_y) ** i / i for i in 1, ..., t)
    ```

    where `p_y` is the probability of the label.

    Args:
        t: Number of terms, an integer of at least 1. Defaults to `2`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import TaylorCE
    >>> float(TaylorCE(t=2)([0], [[0.5, 0.25, 0.25]]))  # 0.5 + 0.5 ** 2 / 2
    0.625

    References:
        - Feng et al., Can cross entropy loss be robust to label noise?, IJCAI
          2020
    """

    def __init__(self, t: int = 2, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        self.set_hyperparameters(t=integer("t", t, 1))

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        rest = complement(log_p)
        total = 0.0
        for i in range(self.t, 0, -1):
            total = rest * (1 / i + total)
        return total
