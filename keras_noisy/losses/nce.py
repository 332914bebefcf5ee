"""Normalised cross-entropy."""

from typing import Unpack

import keras

from keras_noisy.losses.normalized_loss import NormalizedLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class NCE(NormalizedLoss):
    """Normalised cross-entropy (NCE), an active loss that resists wrong labels.

    Cross-entropy divided by its sum over all labels. It underfits alone; add a
    passive loss such as `MAE`, `RCE` or `AGCE` by `ActivePassive`, or by name:
    `keras_noisy.losses.get("NCE+RCE", num_classes=100)`.

    Formula:

    ```
    loss = log(p_y) / sum(log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

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

    >>> from keras_noisy.losses import NCE
    >>> float(NCE()([0], [[0.5, 0.25, 0.25]]))  # 1 / (1 + 2 + 2)
    0.2...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)

    def class_losses(self, log_p: Tensor) -> Tensor:
        """Loss of every class, had it been the label, up to a factor."""
        return log_p
