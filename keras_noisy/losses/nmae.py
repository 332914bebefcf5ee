"""Normalised mean absolute error."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class NMAE(RobustLoss):
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
            `logit_normalization`, `ignore_class`, `reduction`, `name` and
            `dtype`, see `keras_noisy.losses.RobustLoss`.

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

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return (1 - ops.exp(log_p)) / (self.num_classes - 1)

    def error_powers(self) -> dict[float, float]:
        """The error is `-p (1 - p) / (num_classes - 1)`."""
        return {1.0: -1 / (self.num_classes - 1)}
