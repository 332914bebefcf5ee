"""Forward correction."""

from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from keras_noisy.losses._given import Given, Targets
from keras_noisy.losses._transforms import TINY
from keras_noisy.losses._transition import transition_matrix
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


def _log(q: Tensor, log_stay: Tensor) -> Tensor:
    """`log(q)`, and where q underflows the term of the label's own class."""
    return ops.where(q > TINY, ops.log(ops.maximum(q, TINY)), log_stay)


@keras.saving.register_keras_serializable("keras_noisy")
class ForwardCorrection(DistributionLoss):
    """Forward correction: cross-entropy of the labels to be expected.

    For a known or estimated transition matrix. The network predicts true
    classes, the matrix turns them into the labels to be expected, and those are
    compared; its minimum is the classifier of clean labels. More stable than
    `BackwardCorrection`.

    Formula:

    ```
    loss = -log(sum(p_i * T[i, y] for all classes i))
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
        ValueError: If `T` is no row-stochastic square matrix, or an argument is
            outside its range.

    Example:

    >>> from keras_noisy.losses import ForwardCorrection
    >>> T = [[0.75, 0.25], [0.0, 1.0]]
    >>> float(ForwardCorrection(T)([1], [[1.0, 0.0]]))  # -log(0.25)
    1.386...

    References:
        - Patrini et al., Making deep neural networks robust to label noise: a
          loss correction approach, CVPR 2017, arXiv 1609.03683
    """

    def __init__(self, T: Any, **kwargs: Unpack[LossArguments]):
        matrix = transition_matrix(T, kwargs)
        super().__init__(**kwargs)
        self.set_hyperparameters(T=matrix.tolist())
        self._columns = np.ascontiguousarray(matrix.T, "float32")
        self._log_diagonal = np.log(np.maximum(matrix.diagonal(), TINY))

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        p, columns = ops.exp(log_p), ops.cast(self._columns, log_p.dtype)
        log_diagonal = ops.cast(self._log_diagonal, log_p.dtype)
        if isinstance(labels, Targets):
            log_stay = log_p + log_diagonal
            log_q = _log(ops.matmul(p, ops.transpose(columns)), log_stay)
            return -labels.pick(log_q)
        q = ops.sum(p * labels.rows(columns), axis=-1)
        log_stay = labels.pick(log_p) + ops.take(log_diagonal, labels.index)
        return -_log(q, log_stay)
