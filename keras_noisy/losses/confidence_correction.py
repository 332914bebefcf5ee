"""Correction by the confidence in each label."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels
from keras_noisy._label_tensors import static_shape
from keras_noisy._trusted import trusted_mask
from keras_noisy.losses._transition import CorrectionLoss, Matrix, Transition
from keras_noisy.losses.base import _batch, _first_batch
from keras_noisy.losses.base._arguments import flag, number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.forward_correction import ForwardCorrection

#: A confidence c is stored as LOWEST + c, and TRUSTED marks a trusted label, so
#: that no row of label and number looks like a one-hot label of two classes.
LOWEST, TRUSTED = 2.0, 4.0


@robust_loss
class ConfidenceCorrection(CorrectionLoss):
    """Cross-entropy for labels that are likely right, correction for others.

    For data in which some labels are trusted and the others have a confidence,
    as estimated by `keras_noisy.training.LDCE`. The second stage of its method
    trains a new classifier on all samples. Trusted labels use cross-entropy;
    the less likely another label is right, the more `ForwardCorrection` counts.
    Fit to `with_confidence(labels, confidence, trusted)`. Labels without a
    confidence count as trusted, so validation and evaluation use cross-entropy.
    Keras' accuracy and `class_weight` mistake label and confidence for a
    one-hot label: use `keras_noisy.metrics.LabelAccuracy` and `sample_weight`.

    Formula:

    ```
    forward = -log(sum(p_i * T[i, y] for all classes i))
    loss = -log(p_y)                                       # trusted
    loss = beta * forward - (1 - beta) * log(p_y)          # c >= threshold
    loss = forward                                         # otherwise
    loss = (1 - c) * forward - c * log(p_y)                # if soft
    ```

    where `p` is the prediction, `y` the label and `c` the confidence in it, 1
    for trusted labels.

    Args:
        T: Transition matrix of shape (num_classes, num_classes), rows that sum
            to 1: `T[i][j]` is the probability of the label j for a sample of
            class i. `keras_noisy.noise.transition_from_trusted` estimates it.
        soft: Whether the confidence itself weighs the two terms. Defaults to
            `False`.
        beta: Weight of the correction for confident labels, in [0, 1]. The
            authors also use 0.1. Defaults to `0.6`.
        threshold: Lowest confidence of a confident label, in [0, 1].
            Defaults to `0.5`.

    Raises:
        ValueError: If `T` is not a row-stochastic square matrix, or an argument
            is outside its range; for one-hot labels of two classes.

    Example:

    >>> from keras_noisy.losses import ConfidenceCorrection, with_confidence
    >>> T = [[0.75, 0.25], [0.0, 1.0]]
    >>> loss = ConfidenceCorrection(T, beta=0.5, reduction=None)
    >>> y = with_confidence([1, 1, 1], [0.0, 0.9, 0.1], trusted=[0])
    >>> values = loss(y, 3 * [[0.5, 0.5]])  # CE 0.693, forward 0.470
    >>> [round(float(value), 3) for value in values]
    [0.693, 0.582, 0.47]

    References:
        - Liu, Xu, Zhang, Geng, Label distribution for learning with noisy
          labels, IJCAI 2020
        - Patrini et al., Making deep neural networks robust to label noise: a
          loss correction approach, CVPR 2017, arXiv 1609.03683
    """

    T: Any = Transition()
    soft: bool = flag(False)
    beta: float = number(0.6, 0, 1, closed="low high")
    threshold: float = number(0.5, 0, 1, closed="low high")

    @staticmethod
    def formula(
        labels: Labels,
        log_p: Tensor,
        T: Matrix,
        soft: bool,
        beta: float,
        threshold: float,
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        ce = -labels.pick(log_p)
        trust = labels.sample
        if trust is None:
            return ce
        forward = ForwardCorrection.formula(labels, log_p, T)
        trust = ops.cast(trust, log_p.dtype)
        confidence, is_trusted = trust - LOWEST, trust == TRUSTED
        if soft:
            values = confidence * ce + (1 - confidence) * forward
        else:
            mixed = beta * forward + (1 - beta) * ce
            values = ops.where(confidence >= threshold, mixed, forward)
        is_known = ops.logical_and(confidence >= 0, confidence <= 1)
        values = ops.where(is_known, values, float("nan"))
        return ops.where(is_trusted, ce, values)

    def split_labels(
        self, y_true: Tensor, y_pred: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Labels and the numbers next to them, or None without numbers."""
        shape = static_shape(y_true)
        if len(shape) != 2 or shape[1] != 2 or len(y_pred.shape) != 2:
            return y_true, None
        label, trust = y_true[:, 0], y_true[:, 1]
        if y_pred.shape[1] != 2 or self.ignore_class is not None:
            return label, trust
        # Targets of two classes have this shape too, but no number above 1.1.
        is_pair = trust >= LOWEST
        one_hot = ops.stack([label == 0, label == 1], axis=1)
        targets = ops.where(
            is_pair[:, None], ops.cast(one_hot, y_true.dtype), y_true
        )
        return targets, ops.where(is_pair, trust, ops.full_like(trust, TRUSTED))

    def check_values(
        self, batch: _batch.Batch, y_true: Any, strict: bool = False
    ) -> bool:
        """Raise on values that must be a mistake; False while traced."""
        pairs = _first_batch.concrete(y_true)
        if batch.labels.sample is not None and pairs is not None:
            trust = pairs[:, 1]
            known = (trust >= LOWEST) & (trust <= LOWEST + 1)
            bad = ~(known | (trust == TRUSTED))
            if batch.integers is None:  # All, some or no rows are pairs.
                is_pair = trust >= LOWEST
                bad &= is_pair
                one_hot = pairs[:, :1] == np.arange(2)
                y_true = np.where(is_pair[:, None], one_hot, pairs)
            else:
                y_true = pairs[:, 0]
            if bad.any():
                raise invalid(
                    "y_true",
                    pairs[bad][0].tolist(),
                    "rows of `keras_noisy.losses.with_confidence`",
                )
        return super().check_values(batch, y_true, strict)


def with_confidence(
    labels: Any, confidence: Any, trusted: Any = None
) -> np.ndarray:
    """Labels with the confidence in each label next to them.

    For `ConfidenceCorrection`.

    Formula:

    ```
    [[labels[0], 2 + confidence[0]], [labels[1], 2 + confidence[1]], ...]
    ```

    with 4 as the second number of a trusted label. No row looks like a one-hot
    label.

    Args:
        labels: Integer labels of all training samples, shape `(N,)` or
            `(N, 1)`.
        confidence: How likely each label is right, numbers in [0, 1] of shape
            `(N,)`, such as `LDCE.confidence()`. The confidence in trusted
            labels has no effect.
        trusted: Which labels are known to be right: a boolean for each sample,
            or indices. Defaults to `None`, none of them.

    Returns:
        A float32 array of shape `(N, 2)`.

    Raises:
        ValueError: If an argument has another shape or is outside its range.

    Example:

    >>> from keras_noisy.losses import with_confidence
    >>> with_confidence([7, 5, 3], [0.25, 1.0, 0.0], trusted=[2])
    array([[7.  , 2.25],
           [5.  , 3.  ],
           [3.  , 4.  ]], dtype=float32)

    References:
        - Liu, Xu, Zhang, Geng, Label distribution for learning with noisy
          labels, IJCAI 2020
    """
    array = class_labels("labels", labels)
    if np.any(array >= 2**24):
        expected = "labels below 2 ** 24, which float32 can tell apart"
        raise invalid("labels", int(array.max()), expected)
    mask = np.zeros(len(array), bool)
    if trusted is not None:
        mask = trusted_mask(trusted, len(array))
    numbers = as_array("confidence", confidence)
    if numbers.shape != array.shape or numbers.dtype.kind not in "biuf":
        raise ValueError(
            "Invalid value for argument `confidence`. Expected a number for "
            f"each of the {len(array)} labels. Received: dtype "
            f"{numbers.dtype}, shape {numbers.shape}"
        )
    numbers = np.where(mask, 1.0, numbers)
    bad = ~((numbers >= 0) & (numbers <= 1))
    if bad.any():
        found = float(numbers[bad][0])
        raise invalid("confidence", found, "numbers in [0, 1]")
    trust = np.where(mask, TRUSTED, LOWEST + numbers)
    return np.stack([array, trust], axis=1).astype("float32")
