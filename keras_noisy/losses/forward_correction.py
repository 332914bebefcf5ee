"""Forward correction, and importance reweighting."""

from typing import Any

from keras import ops

from keras_noisy.losses._transition import CorrectionLoss, Matrix, Transition
from keras_noisy.losses.base._arguments import Choice, typed
from keras_noisy.losses.base._class_sums import log_probabilities
from keras_noisy.losses.base._closed_form import closed_form, is_short
from keras_noisy.losses.base._labels import DenseLabels, Labels, SparseLabels
from keras_noisy.losses.base._math import (
    LOWEST,
    TINY,
    at_least,
    at_most,
    largest,
    where_above,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor

#: How many gaps between predicted classes, of up to 80 each, soft targets
#: resolve.
LEVELS = 4
MODES = ("forward", "reweight")
#: Logarithm of the largest weight, of labels that the matrix rules out.
HEAVIEST = 16.0


def _log_mixture(log_p: Tensor, T: Tensor) -> Tensor:
    """`log(exp(log_p) @ T)`, even if all classes that `T` keeps underflow."""
    result = found = None
    for _ in range(LEVELS):
        top = ops.stop_gradient(largest(log_p))
        q = ops.exp(log_p - top) @ T
        level = ops.log(at_least(q, TINY)) + top
        result = level if found is None else ops.where(found, result, level)
        found = q > TINY if found is None else ops.logical_or(found, q > TINY)
        # The other classes matter if those above cannot have the label.
        log_p = ops.where(log_p > top - 80, LOWEST, log_p)
    return result


@robust_loss
class ForwardCorrection(CorrectionLoss):
    """Forward correction, and importance reweighting by a transition matrix.

    For a known or estimated transition matrix. The network predicts true
    classes, the matrix turns these into probabilities of the given labels, and
    the loss is the cross-entropy of those; its minimum is the classifier of
    clean labels. More stable than `BackwardCorrection`. With
    `mode="reweight"`, the loss is the cross-entropy of the prediction itself,
    weighted by the probability that the label is the true class divided by the
    probability that it is given: labels that contradict a confident network
    hardly count.

    Formula:

    ```
    given_y = sum(p_i * T[i, y] for all classes i)
    loss = -log(given_y)                       # mode="forward"
    loss = -(p_y / given_y) * log(p_y)         # mode="reweight"
    ```

    where `p` is the prediction and `y` the label. The weight has no gradient
    and is at most `exp(16)`.

    Args:
        T: Transition matrix of shape (num_classes, num_classes), rows that sum
            to 1: `T[i][j]` is the probability of the label j for a sample of
            class i.
        mode: How the matrix is used, `"forward"` or `"reweight"`. Defaults to
            `"forward"`.

    Raises:
        ValueError: If `T` is not a row-stochastic square matrix, or an argument
            is outside its range.

    Example:

    >>> from keras_noisy.losses import ForwardCorrection
    >>> T = [[0.75, 0.25], [0.0, 1.0]]
    >>> float(ForwardCorrection(T)([1], [[1.0, 0.0]]))  # -log(0.25)
    1.386...

    References:
        - Patrini et al., Making deep neural networks robust to label noise: a
          loss correction approach, CVPR 2017, arXiv 1609.03683
        - Liu, Tao, Classification with noisy labels by importance reweighting,
          TPAMI 2016, arXiv 1411.7718
        - Xia et al., Are anchor points really indispensable in label-noise
          learning (reweighting by a matrix), NeurIPS 2019, arXiv 1906.00189
    """

    T: Any = Transition()
    mode: str = typed(Choice("forward", MODES))

    @staticmethod
    def formula(
        labels: Labels, log_p: Tensor, T: Matrix, mode: str = "forward"
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        dense = isinstance(labels, DenseLabels)
        if dense:
            matrix = T.tensor("array", log_p)
            given, own = _log_mixture(log_p, matrix), log_p
        else:
            log_columns = T.tensor("log_columns", log_p)
            log_terms = log_p + labels.rows(log_columns)
            given = ops.logsumexp(log_terms, axis=-1)
            own = labels.pick(log_p) if mode == "reweight" else given
        values = -given
        if mode == "reweight":
            log_weight = at_most(ops.stop_gradient(own - given), HEAVIEST)
            values = -ops.exp(log_weight) * own
        return labels.pick(values) if dense else values

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        sparse = isinstance(labels, SparseLabels)
        if (
            not sparse
            or numbers["mode"] != "forward"
            or is_short(len(numbers["T"]))
        ):
            return super().values(labels, logits, numbers)
        if numbers["logit_bias"] is not None:
            logits = labels.added(logits, numbers["logit_bias"])
        columns = numbers["T"].tensor("log_columns", logits)
        return -closed_form(_given, _slope, logits, labels.rows(columns))[0]


def _given(logits: Tensor, log_column: Tensor) -> tuple:
    """The log-probability of the given label, from its matrix column."""
    log_p = log_probabilities(logits)
    given = ops.logsumexp(log_p + log_column, axis=-1)
    # PyTorch gives no derivative to an output that is also kept.
    return (given,), (log_p, given + 0.0)


def _slope(
    logits: Tensor, kept: Any, upstream: Any, log_column: Tensor
) -> Tensor:
    """Its derivative: the classes' posterior given the label, less `p`."""
    log_p, given = kept
    posterior = ops.exp(log_p + log_column - given[:, None])
    posterior = where_above(log_p, LOWEST, posterior)
    total = ops.sum(posterior, axis=-1, keepdims=True)
    return (posterior - ops.exp(log_p) * total) * upstream[0][:, None]
