"""The base of the normalised negative losses."""

import math

from keras import ops

from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import Tensor

#: Probabilities count down to here, where the paper bounds them.
FLOOR = 1e-7
LOG_FLOOR = math.log(FLOOR)


class NegativeLoss(DistributionLoss):
    """Base of the normalised negative losses.

    Use a subclass: `NNCE` or `NNFL`. A loss `l` is turned upside down at its
    largest value `A`, so that lowering it means raising the loss of all other
    labels, and is normalised: a passive loss made from an active one.

    Formula:

    ```
    n(p) = A - l(p)
    loss = 1 - n(p_y) / sum(n(p_k) for all classes k)
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

    >>> from keras_noisy.losses import NNCE, NegativeLoss
    >>> isinstance(NNCE(), NegativeLoss)
    True

    References:
        - Ye et al., Active negative loss functions for learning with noisy
          labels, NeurIPS 2023
    """

    def headroom(self, log_p: Tensor) -> Tensor:
        """`A - l(p)` of every class, at least 0."""
        raise TypeError(
            f"{type(self).__name__} has no `headroom(self, log_p)`: a subclass "
            "of NegativeLoss must define it"
        )

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        headroom = self.headroom(ops.maximum(log_p, LOG_FLOOR))
        return 1 - labels.pick(headroom) / ops.sum(headroom, axis=-1)
