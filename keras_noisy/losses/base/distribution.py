"""The base of the losses of the whole predicted distribution."""

from __future__ import annotations

from typing import Any

from keras_noisy.losses.base._class_sums import (
    Term,
    class_sums,
    has_closed_form,
    log_probabilities,
)
from keras_noisy.losses.base._formulas import check_shape
from keras_noisy.losses.base._labels import Labels, SparseLabels
from keras_noisy.losses.base._signature import any_numbers, documented
from keras_noisy.losses.base.robust_loss import RobustLoss, Tensor


@documented
class DistributionLoss(RobustLoss):
    """Base of the losses that need more than the true-class probability.

    Use a subclass. It defines `formula`, a function of the labels and of the
    log-probabilities of all classes, and declares its numbers. `RobustLoss`
    adds labels, logit bias, clip, normalization and saving.

    Formula:

    ```
    z = transformed logits, biased at the label
    loss = formula(labels, log_softmax(z))
    ```

    Example:

    `labels.pick(x)` is the entry of each row of `x` at the label, or its mean
    over soft targets:

    >>> import keras
    >>> from keras_noisy.losses import DistributionLoss, number
    >>> class Smoothed(DistributionLoss):
    ...     rate: float = number(0.1, low=0, high=1)
    ...
    ...     @staticmethod
    ...     def formula(labels, log_p, rate):
    ...         mean = keras.ops.mean(log_p, axis=-1)
    ...         return -(1 - rate) * labels.pick(log_p) - rate * mean
    >>> float(Smoothed()([1], [[0.5, 0.25, 0.25]]))
    1.363...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def of_distribution(
        self, labels: Labels, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        # Classes of an earlier version call it `distribution_formula`.
        older = hasattr(self, "distribution_formula")
        name = "distribution_formula" if older else "formula"
        values = self.evaluate(name, (labels, log_p), numbers)
        check_shape(self, values, tuple(log_p.shape[:1]))
        return values

    @staticmethod
    @any_numbers
    def log_probabilities(logits: Tensor) -> Tensor:
        """The input of the formula, from biased logits of shape (N, K)."""
        return log_probabilities(logits)

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term] | None:
        """The terms that the loss sums over the classes, if it is a sum."""
        return None

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        bias = numbers["logit_bias"]
        if bias is not None and self.view_axes:
            logits = logits + (bias * labels.dense(logits[:, 0]))[:, None]
        elif bias is not None:
            logits = labels.added(logits, bias)
        if isinstance(labels, SparseLabels):
            terms = self.terms(labels, logits, numbers)
            if terms and has_closed_form(terms, logits.shape[-1]):
                log_p, sums = class_sums(logits, labels, terms)
                return self.of_sums(log_p, iter(sums), numbers)
        log_p = self.evaluate("log_probabilities", (logits,), numbers)
        return self.of_distribution(labels, log_p, numbers)
