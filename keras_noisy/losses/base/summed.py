"""The base of losses of the label's probability and a sum over classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from keras_noisy.losses.base._class_sums import WINNER, Term, plain_sum
from keras_noisy.losses.base._formulas import check_shape, is_current
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._math import LOWEST
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor

#: Methods that the slope of a loss depends on. It is not used for a subclass
#: that changes one of these but not the slope.
FORMULAS = (
    "summed",
    "formula",
    "distribution_formula",
    "class_losses",
    "headroom",
    "class_values",
    "of_distribution",
    "of_sums",
    "log_probabilities",
)


class SummedLoss(DistributionLoss):
    """Base of the losses of `log(p_y)` and of one sum over the classes.

    A subclass defines `summed`, a function of the log-probability of a class,
    and `formula`, a function of the log-probability of the label and of the
    sum over the classes; soft targets take its mean over the targets. If the
    subclass also defines `slope`, the derivative of `summed`, integer labels
    use a gradient in closed form. If `slope` has an argument `summed`, it
    receives the values of `summed`.
    """

    #: Log-probabilities below this value are raised to it.
    floor: ClassVar[float] = LOWEST

    @staticmethod
    def summed(log_p: Tensor) -> Tensor:
        """The values to sum over the classes, elementwise."""
        raise TypeError(
            "This loss has no `summed(log_p)`: a subclass of SummedLoss must "
            "define it"
        )

    def class_values(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The values to sum, from log-probabilities of any shape."""
        return self.evaluate("summed", (log_p,), numbers)

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Values from the log-probability of the label and the sum."""
        values = self.evaluate("formula", (log_p, next(sums)), numbers)
        check_shape(self, values, tuple(log_p.shape))
        return values

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term]:
        """The only term."""

        def value(log_p: Tensor) -> Tensor:
            return self.class_values(log_p, numbers)

        def slope(log_p: Tensor, summed: Tensor) -> Tensor:
            more = {"summed": summed, **numbers}
            return self.evaluate("slope", (log_p,), more)

        known = is_current(type(self), "slope", FORMULAS)
        return [Term(value, slope if known else None, floor=self.floor)]

    def of_distribution(
        self, labels: Labels, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        terms = self.terms(labels, log_p, numbers)
        sums = [plain_sum(term, labels, log_p) for term in terms]
        return labels.mean_of(
            lambda log_p: self.of_sums(log_p, iter(sums), numbers), log_p
        )


class WinnerLoss(SummedLoss):
    """Base of the losses of `log(p_y)` and of the predicted class.

    Instead of a sum, `of_sums` receives the log-probability of that class, and
    1 if it is the label, 0 if not.
    """

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term]:
        """The predicted class takes the place of a sum."""
        return [WINNER]
