"""Normalised generalised cross-entropy."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses.normalized_loss import NormalizedLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class NGCE(NormalizedLoss):
    """Normalised generalised cross-entropy (NGCE).

    `GCE` divided by its sum over all labels, bounded by 1; used like `NCE`,
    beside a passive loss. Published `q`: CIFAR-10 0.1, CIFAR-100 0.7.

    Formula:

    ```
    loss = (1 - p_y ** q) / sum(1 - p_k ** q for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        q: A number in (0, 1]. Defaults to `0.1`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import NGCE
    >>> float(NGCE(q=1.0)([0], [[0.5, 0.25, 0.25]]))  # 0.5 / 2
    0.25

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def __init__(self, q: float = 0.1, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        self.set_hyperparameters(q=real("q", q, 0, 1, closed="high"))

    def class_losses(self, log_p: Tensor) -> Tensor:
        """Loss of every class, had it been the label, up to a factor."""
        return 1 - ops.exp(self.q * log_p)
