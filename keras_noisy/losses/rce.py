"""Reverse cross-entropy."""

import math
from typing import Unpack

import keras

from keras_noisy.losses.passive_loss import PassiveLoss
from keras_noisy.losses.robust_loss import LossArguments

#: `-log 0`, cut off where the paper cuts it off.
A = -math.log(1e-4)


@keras.saving.register_keras_serializable("keras_noisy")
class RCE(PassiveLoss):
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
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

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

    @property
    def scale(self) -> float:
        """Largest value of the loss."""
        return A
