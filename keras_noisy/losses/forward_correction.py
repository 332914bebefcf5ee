"""Forward correction."""

from typing import Any

from keras import ops

from keras_noisy.losses._transition import CorrectionLoss, Matrix, Transition
from keras_noisy.losses.base._labels import DenseLabels, Labels
from keras_noisy.losses.base._math import LOWEST, TINY, largest
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor

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


@robust_loss
class ForwardCorrection(CorrectionLoss):
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

    T: Any = Transition()

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, T: Matrix) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        if isinstance(labels, DenseLabels):
            matrix = ops.convert_to_tensor(T.array, log_p.dtype)
            return -labels.pick(_log_mixture(log_p, matrix))
        log_columns = ops.convert_to_tensor(T.log_columns, log_p.dtype)
        log_terms = log_p + labels.rows(log_columns)
        return -ops.logsumexp(log_terms, axis=-1)
