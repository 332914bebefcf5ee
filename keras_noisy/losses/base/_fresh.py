"""A loss as its calibration sees it."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_noisy.calibration.fresh import Fresh
from keras_noisy.losses.base._arguments import declared
from keras_noisy.losses.base._declared import DeclaredLoss
from keras_noisy.losses.base._labels import SparseLabels

Tensor = Any


class FreshLoss(DeclaredLoss):
    """Base of `RobustLoss`: its functions for `keras_noisy.calibration`."""

    @property
    def view_axes(self) -> tuple[int, ...]:
        """Sizes of the axes of predictions that labels do not have."""
        return ()

    @property
    def has_formula(self) -> bool:
        """Whether this is a loss of the true-class probability alone."""
        return hasattr(self, "of_true_class")

    def fresh(self, num_classes: int, **changes: Any) -> Fresh:
        """This loss as a fresh network meets it, for its calibration."""
        arguments = declared(type(self))
        for name, value in changes.items():
            if name in arguments:
                changes[name] = arguments[name].check(value)
        numbers = self.numbers(num_classes, **changes)
        self.check_numbers(**numbers)
        return self.as_fresh(numbers)

    def as_fresh(self, numbers: dict[str, Any]) -> Fresh:
        """The loss as calibration sees it, for known numbers."""

        def values(index: Tensor, logits: Tensor) -> Tensor:
            index = ops.convert_to_tensor(index)
            labels = SparseLabels(index, ops.ones_like(index, "bool"))
            logits = self.transformed(logits, numbers)
            return self.values(labels, logits, numbers)

        if self.has_own_call():
            values = self.call
        found = Fresh(
            name=type(self).__name__,
            logit_bias=numbers["logit_bias"] or 0.0,
            margin_scale=numbers["margin_scale"] or 1.0,
            view_axes=self.view_axes,
            values=values,
        )
        prior = numbers["logit_adjustment"]
        if prior is None:
            return found
        argument: Any = declared(type(self))["logit_adjustment"]
        shift = argument.now(self, numbers)
        return found._replace(shares=tuple(prior.shares), shift=tuple(shift))
