"""Mean absolute error."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy.losses.passive_loss import PassiveLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class MAE(PassiveLoss):
    """Mean absolute error (MAE) between the label and the prediction.

    The L1 distance of the two distributions. Summed over all labels it is
    constant, so that symmetric label noise does not move its minimum. With
    more than a few dozen classes it sends back almost no error at
    initialisation and the network does not start: use `MAEStar` there.

    Formula:

    ```
    loss = 2 * (1 - p_y)
    ```

    where `p_y` is the probability of the label; for soft targets `t`,
    `loss = sum_k abs(t[k] - p[k])`.

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

    >>> from keras_noisy.losses import MAE
    >>> float(MAE()([1], [[0.5, 0.25, 0.25]]))
    1.5

    References:
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
    """

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)

    @property
    def scale(self) -> float:
        """Largest value of the loss."""
        return 2.0

    def target_formula(self, targets: Tensor, log_p: Tensor) -> Tensor:
        """The L1 distance, which is not linear in the targets."""
        return ops.sum(ops.abs(targets - ops.exp(log_p)), axis=-1)
