"""Forward correction."""

from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from keras_noisy.losses._given import Given, Targets
from keras_noisy.losses._transforms import LOWEST, TINY, largest
from keras_noisy.losses._transition import transition_matrix
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor

#: Gaps between the predicted classes of soft targets, of up to 80 each, that
#: are resolved.
LEVELS = 4


def _log_mixture(log_p: Tensor, T: Tensor) -> Tensor:
    """`log(exp(log_p) @ T)`, also where all that `T` leaves underflows."""
    result = found = None
    for _ in range(LEVELS):
        top = ops.stop_gradient(largest(log_p))
        q = ops.matmul(ops.exp(log_p - top), T)
        level = ops.log(ops.maximum(q, TINY)) + top
        result = level if found is None else ops.where(found, result, level)
        found = q > TINY if found is None else ops.logical_or(found, q > TINY)
        # What is left matters where the classes above cannot have the label.
        log_p = ops.where(log_p > top - 80, LOWEST, log_p)
    return result


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
        self._matrix = matrix
        with np.errstate(divide="ignore"):
            columns = np.maximum(np.log(matrix.T), LOWEST)
        self._log_columns = np.ascontiguousarray(columns)

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        if isinstance(labels, Targets):
            T = ops.convert_to_tensor(self._matrix, log_p.dtype)
            return -labels.pick(_log_mixture(log_p, T))
        log_columns = ops.convert_to_tensor(self._log_columns, log_p.dtype)
        log_terms = log_p + labels.rows(log_columns)
        return -ops.logsumexp(log_terms, axis=-1)
