"""Normalised reverse cross-entropy."""

from typing import Unpack

import keras

from keras_noisy.losses.nmae import NMAE
from keras_noisy.losses.robust_loss import LossArguments


@keras.saving.register_keras_serializable("keras_noisy")
class NRCE(NMAE):
    """Normalised reverse cross-entropy (NRCE), the same function as NMAE.

    `RCE` divided by its sum over all labels, which is the same as for `MAE`. A
    published program has the factor `1/4*(K-1)`, which divides by 4 and
    multiplies by `K - 1`; here is what the paper's formula says.

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

    >>> from keras_noisy.losses import NRCE
    >>> float(NRCE()([1], [[0.5, 0.25, 0.25]]))
    0.375

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
