"""Backward correction."""

from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from keras_noisy.losses._given import Given
from keras_noisy.losses._transition import transition_matrix
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class BackwardCorrection(DistributionLoss):
    """Backward correction: an unbiased estimate of the clean cross-entropy.

    For a known or estimated transition matrix. Averaged over the noise it is
    the cross-entropy of the true labels, whatever the network predicts; single
    values can be negative and unbounded, which makes training less stable than
    with `ForwardCorrection`.

    Formula:

    ```
    loss = -sum(inv(T)[y, j] * log(p_j) for all classes j)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        T: Transition matrix of shape (num_classes, num_classes), rows that sum
            to 1: `T[i][j]` is the probability of the label j for a sample of
            class i.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If `T` is no row-stochastic square matrix or is singular, or
            an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import BackwardCorrection
    >>> T = [[0.75, 0.25], [0.25, 0.75]]  # its inverse is 1.5 and -0.5
    >>> float(BackwardCorrection(T)([0], [[0.5, 0.5]]))
    0.693...

    References:
        - Patrini et al., Making deep neural networks robust to label noise: a
          loss correction approach, CVPR 2017, arXiv 1609.03683
    """

    def __init__(self, T: Any, **kwargs: Unpack[LossArguments]):
        matrix = transition_matrix(T, kwargs, regular=True)
        super().__init__(**kwargs)
        self.set_hyperparameters(T=matrix.tolist())
        self._inverse = np.linalg.inv(matrix)

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        inverse = ops.convert_to_tensor(self._inverse, log_p.dtype)
        weights = labels.rows(inverse)
        return -ops.sum(weights * log_p, axis=-1)
