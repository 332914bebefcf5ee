"""Backward correction."""

from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_noisy.losses._transition import (
    CorrectionLoss,
    Matrix,
    RegularTransition,
)
from keras_noisy.losses.base._class_sums import Term
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class BackwardCorrection(CorrectionLoss):
    """Backward correction: an unbiased estimate of the clean cross-entropy.

    For a known or estimated transition matrix. Averaged over the noise, the
    loss is the cross-entropy of the true labels, whatever the network predicts.
    Single values can be negative and unbounded, which makes training less
    stable than with `ForwardCorrection`.

    Formula:

    ```
    loss = -sum(inv(T)[y, j] * log(p_j) for all classes j)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        T: Transition matrix of shape (num_classes, num_classes), rows that sum
            to 1: `T[i][j]` is the probability of the label j for a sample of
            class i.

    Raises:
        ValueError: If `T` is not a row-stochastic square matrix or is singular,
            or an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import BackwardCorrection
    >>> T = [[0.75, 0.25], [0.25, 0.75]]  # its inverse is 1.5 and -0.5
    >>> float(BackwardCorrection(T)([0], [[0.5, 0.5]]))
    0.693...

    References:
        - Patrini et al., Making deep neural networks robust to label noise: a
          loss correction approach, CVPR 2017, arXiv 1609.03683
    """

    T: Any = RegularTransition()

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, T: Matrix) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        inverse = T.tensor("inverse", log_p)
        weights = labels.rows(inverse)
        return -ops.sum(weights * log_p, axis=-1)

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term]:
        """The sum over the row of the label."""
        inverse = numbers["T"].tensor("inverse", like)
        return [Term(_value, _slope, (labels.rows(inverse),))]

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of that sum."""
        return -next(sums)


def _value(log_p: Tensor, weights: Tensor) -> Tensor:
    return log_p * weights


def _slope(log_p: Tensor, value: Tensor, weights: Tensor) -> Tensor:
    return weights
