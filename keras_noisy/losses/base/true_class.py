"""The base of the losses of the true-class probability."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_noisy.calibration.fresh import Fresh
from keras_noisy.losses.base import _math, _single
from keras_noisy.losses.base._formulas import check_shape, is_current
from keras_noisy.losses.base._labels import DenseLabels, Labels
from keras_noisy.losses.base._of_label import (
    all_margins,
    label_margin,
    log_probability,
)
from keras_noisy.losses.base._signature import any_numbers, documented
from keras_noisy.losses.base._smoothed import SmoothedLabels
from keras_noisy.losses.base.robust_loss import RobustLoss, Tensor


@documented
class TrueClassLoss(RobustLoss):
    """Base of the losses that depend on the true-class probability alone.

    Use a subclass. It defines `formula`, a function of the log-probability of
    the label, and declares its numbers with `number`, `whole_number` and
    `flag`.

    Formula:

    ```
    z = transformed logits, biased at the label
    loss = formula(log_softmax(z)[y_true])
    ```

    For soft targets `t`, it is `sum_k t[k] * formula(log_softmax(z)[k])`.

    Example:

    >>> import keras
    >>> from keras_noisy.losses import TrueClassLoss, number
    >>> class Root(TrueClassLoss):
    ...     n: float = number(2.0, low=0)
    ...
    ...     @staticmethod
    ...     def formula(log_p, n):
    ...         return 1 - keras.ops.exp(log_p / n)
    >>> float(Root(n=2.0)([0, 1], [[0.25, 0.75], [0.75, 0.25]]))
    0.5

    References:
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
    """

    @staticmethod
    @any_numbers
    def formula(log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        raise TypeError(
            "This loss has no `formula(log_p)`: a subclass of TrueClassLoss "
            "must define it"
        )

    def of_true_class(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The formula, elementwise."""
        values = self.evaluate("formula", (log_p,), numbers)
        check_shape(self, values, tuple(log_p.shape))
        return values

    def of_targets(
        self, targets: Tensor, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of soft targets, both of shape (N, num_classes)."""
        if hasattr(self, "target_formula"):
            return self.evaluate("target_formula", (targets, log_p), numbers)
        # A class with target 0 must not add an infinite loss.
        safe = ops.where(targets == 0, 0.0, log_p)
        return ops.sum(targets * self.of_true_class(safe, numbers), axis=-1)

    def of_share(
        self,
        share: Tensor,
        log_p: Tensor,
        log_rest: Tensor,
        numbers: dict[str, Any],
    ) -> Tensor:
        """Loss of soft labels of two classes, all of shape (N,).

        `share` is the label, `log_p` and `log_rest` are the log-probabilities
        of class 1 and class 0.
        """
        if hasattr(self, "target_formula"):
            targets = ops.stack([1 - share, share], axis=-1)
            both = ops.stack([log_rest, log_p], axis=-1)
            return self.of_targets(targets, both, numbers)
        # A class with target 0 must not add an infinite loss.
        log_p = ops.where(share == 0, 0.0, log_p)
        log_rest = ops.where(share == 1, 0.0, log_rest)
        of = self.of_true_class
        return share * of(log_p, numbers) + (1 - share) * of(log_rest, numbers)

    def of_soft(
        self, labels: DenseLabels, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of soft targets, without their matrix if possible."""
        linear = not hasattr(self, "target_formula")
        if linear and isinstance(labels, SmoothedLabels):
            return labels.pick(self.of_true_class(log_p, numbers))
        return self.of_targets(labels.targets, log_p, numbers)

    def of_distribution(
        self, labels: Labels, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """Values from log-probabilities of all classes, of shape (N, K)."""
        if isinstance(labels, DenseLabels):
            return self.of_soft(labels, log_p, numbers)
        return self.of_true_class(labels.pick(log_p), numbers)

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list:
        """Nothing is summed over the classes."""
        return []

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Values from the log-probability of the label."""
        return self.of_true_class(log_p, numbers)

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        if _single.is_single(logits):
            return _single.values(self, labels, logits, numbers)
        if numbers["margin_scale"] is not None:
            return TrueClassLoss.scaled_values(self, labels, logits, numbers)
        bias = numbers["logit_bias"]
        if isinstance(labels, DenseLabels):
            if bias is not None:
                logits = labels.added(logits, bias)
            log_p = ops.log_softmax(logits, axis=-1)
            return self.of_soft(labels, log_p, numbers)
        if isinstance(bias, float) and bias < 0:
            # Near p = 1, log_p has lost the digits that a negative bias
            # needs: bias the logits instead.
            logits = labels.added(logits, bias)
            bias = None
        log_p = log_probability(labels.index, logits)
        if bias is not None:
            column = bias if isinstance(bias, float) else bias[:, 0]
            log_p = _math.biased(log_p, column)
        return self.of_true_class(log_p, numbers)

    def scaled_values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample with the margin of the label scaled."""
        scale = numbers["margin_scale"]
        if isinstance(labels, DenseLabels):
            margin = all_margins(logits)
            if not isinstance(labels, SmoothedLabels):
                # A class with target 0 must not add an infinite loss.
                margin = ops.where(labels.targets == 0, 0.0, margin)
        else:
            margin = label_margin(labels.index, logits)
        log_p = ops.log_sigmoid(scale * margin)
        values = self.of_true_class(log_p, numbers) / scale
        if isinstance(labels, DenseLabels):
            values = labels.pick(values)
        return values

    def as_fresh(self, numbers: dict[str, Any]) -> Fresh:
        """The loss as calibration sees it, for known numbers."""
        found = RobustLoss.as_fresh(self, numbers)
        if numbers["logit_clip"] or numbers["logit_normalization"]:
            return found
        powers = powers_of(self, numbers) if found.shift is None else None
        return found._replace(
            formula=lambda log_p: self.of_true_class(log_p, numbers),
            powers=powers,
        )


def powers_of(loss: Any, numbers: dict[str, Any]) -> dict[float, float] | None:
    """`error_powers` of a loss, unless they belong to another formula."""
    if not is_current(type(loss), "error_powers", ("formula",)):
        return None
    return loss.evaluate("error_powers", (), numbers)


def adopt(kind: type[RobustLoss]) -> None:
    """Give a RobustLoss with a `formula` the methods of a TrueClassLoss."""
    own = [c for c in kind.__mro__ if c not in RobustLoss.__mro__]
    known = {name for c in own for name in vars(c)}
    if hasattr(kind, "of_distribution") or "formula" not in known:
        return
    for name, value in vars(TrueClassLoss).items():
        if inspect.isfunction(value) and name not in ("__init__", *known):
            setattr(kind, name, value)


# In earlier versions, users wrote a subclass of RobustLoss itself.
RobustLoss.adopt = staticmethod(adopt)  # type: ignore[method-assign]
