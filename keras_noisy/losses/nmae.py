"""Normalised mean absolute error."""

from typing import Unpack

import keras

from keras_noisy.losses.passive_loss import PassiveLoss
from keras_noisy.losses.robust_loss import LossArguments


@keras.saving.register_keras_serializable("keras_noisy")
class NMAE(PassiveLoss):
    """Normalised mean absolute error (NMAE), MAE on another scale.

    `MAE` divided by its sum over all labels. As `MAE` is symmetric that sum is
    a constant, so that this is `MAE` on another scale, made for sums of
    normalised losses.

    Formula:

    ```
    loss = (1 - p_y) / (num_classes - 1)
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

    >>> from keras_noisy.losses import NMAE
    >>> float(NMAE()([1], [[0.5, 0.25, 0.25]]))
    0.375

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    needs_num_classes = True

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)

    @property
    def scale(self) -> float:
        """Largest value of the loss."""
        return 1 / (self.num_classes - 1)
