"""Weighted sum of an active and a passive loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.calibration.fresh import Fresh
from keras_noisy.losses.base._arguments import Argument, number, typed
from keras_noisy.losses.base._class_sums import Term
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import RobustLoss, Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss

#: Arguments of the sum, with the value that they must have in its parts.
OF_THE_SUM = {
    "logit_bias": None,
    "margin_scale": None,
    "logit_clip": None,
    "logit_normalization": None,
    "logit_adjustment": None,
    "ignore_class": None,
    "label_smoothing": 0.0,
    "balance": 0.0,
    "fade": None,
}


class Part(Argument):
    """A loss inside another one, whose log-softmax it shares."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        self.owner = owner.__name__

    def check(self, value: Any) -> RobustLoss:
        """The loss, if it can share a log-softmax."""
        if isinstance(value, dict):
            value = keras.losses.deserialize(value)
        if not isinstance(value, RobustLoss):
            expected = "a loss of keras_noisy, such as `NCE()`"
            raise invalid(self.name, value, expected)
        for argument, free in OF_THE_SUM.items():
            found = value.arguments[argument]
            if found != free:
                raise ValueError(
                    f"Pass `{argument}` to {self.owner}, not to its "
                    f"`{self.name}` loss. Received: {argument}={found!r} in "
                    f"{type(value).__name__}"
                )
        if value.reduction != "sum_over_batch_size":
            raise ValueError(
                f"Pass `reduction` to {self.owner}, not to its `{self.name}` "
                f"loss. Received: reduction={value.reduction!r} in "
                f"{type(value).__name__}"
            )
        if value.needs_logits or value.has_state or value.view_axes:
            raise invalid(
                self.name,
                value,
                "a loss of the log-softmax of one prediction per label",
            )
        return value

    def verify(self, loss: RobustLoss) -> None:
        """Take the number of classes from the part, if it has one."""
        part = loss.arguments[self.name]
        if part.from_logits and not loss.from_logits:
            raise ValueError(
                f"Pass `from_logits=True` to {self.owner}, as its "
                f"`{self.name}` loss has it. Received: from_logits=False in "
                f"{self.owner}"
            )
        found = part.num_classes
        if None not in (found, loss.num_classes) and found != loss.num_classes:
            raise ValueError(
                f"Expected the `{self.name}` loss to have "
                f"num_classes={loss.num_classes} or None. Received: "
                f"num_classes={found}"
            )
        loss.num_classes = loss.num_classes or found

    def config(self, value: RobustLoss) -> dict[str, Any]:
        """The loss, serialized."""
        return keras.losses.serialize(value)


def _sum_of(name: str) -> Any:
    """A method that weighs and adds what it returns for both losses."""

    def method(self: ActivePassive, *inputs: Any) -> Tensor:
        *given, numbers = inputs
        of_active, of_passive = numbers["parts"]
        active = getattr(self.active, name)(*given, of_active)
        passive = getattr(self.passive, name)(*given, of_passive)
        alpha = numbers["alpha"]
        if not isinstance(alpha, float):  # A column, while it fades.
            alpha = ops.reshape(alpha, (-1, *[1] * (len(active.shape) - 1)))
        return alpha * active + numbers["beta"] * passive

    return method


@robust_loss
class ActivePassive(RobustLoss):
    """Sum of an active loss, which learns, and a passive one, which resists.

    An active loss only raises the probability of the label; a passive one also
    lowers the others. Robust active losses such as `NCE` underfit alone, but
    not together with a passive one. The log-softmax is computed once for both.
    The pairs of the papers with their weights can also be built by name,
    as in `keras_noisy.losses.get("NCE+RCE", num_classes=100)`. In `NCE+MAE` and
    `NFL+MAE` the passive loss is `GCE(q=1)`, half of `MAE`, since their
    weights are meant for `1 - p_y`.

    Formula:

    ```
    loss = alpha * active + beta * passive
    ```

    Args:
        active: A loss of this package, such as `NCE()`.
        passive: A loss of this package, such as `RCE()`.
        alpha: Weight of the active loss, a number of at least 0, or `"auto"`,
            which sends back the error that 1 sends back at 10 classes.
            Defaults to `1.0`.
        beta: Weight of the passive loss, a number of at least 0. Defaults to
            `1.0`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `margin_scale`,
            `logit_clip`, `logit_normalization`, `logit_adjustment`, `tau`,
            `ignore_class`, `label_smoothing`, `balance`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`. They apply to the sum: `tau`,
            `name` and `dtype` of the two losses have no effect, `num_classes`
            must agree, and if one has `from_logits=True`, the sum must have it
            too. The other arguments must have their defaults in both losses.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range, if a part has an
            argument of the sum or cannot share a log-softmax, or if no value of
            an `"auto"` argument gives the required error.

    Example:

    >>> from keras_noisy.losses import MAE, NCE, ActivePassive
    >>> loss = ActivePassive(NCE(), MAE(), alpha=10.0, beta=0.5)
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))  # 10 * 0.2 + 0.5 * 1
    2.5

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025,
          arXiv 2306.05497
    """

    active: RobustLoss = typed(Part())
    passive: RobustLoss = typed(Part())
    alpha: float | str = number(1.0, 0, closed="low", auto=True)
    beta: float = number(1.0, 0, closed="low")

    @property
    def has_formula(self) -> bool:
        """Whether both are losses of the true-class probability alone."""
        return self.active.has_formula and self.passive.has_formula

    def _base(self) -> type[RobustLoss]:
        """The base class that a sum of these two has."""
        return TrueClassLoss if self.has_formula else DistributionLoss

    def numbers(self, num_classes: Any, **changes: Any) -> dict[str, Any]:
        """The numbers of the sum and of its parts."""
        found = super().numbers(num_classes, **changes)
        parts = (self.active, self.passive)
        return {**found, "parts": [p.numbers(num_classes) for p in parts]}

    of_true_class = _sum_of("of_true_class")
    of_share = _sum_of("of_share")
    of_soft = _sum_of("of_soft")
    of_distribution = _sum_of("of_distribution")
    of_sums = _sum_of("of_sums")

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term] | None:
        """The terms that the parts sum over the classes, if both are sums."""
        found = [
            part.terms(labels, like, of_part)
            for part, of_part in zip(
                (self.active, self.passive), numbers["parts"], strict=True
            )
        ]
        return None if None in found else [*found[0], *found[1]]

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """The log-probabilities that both parts share."""
        return DistributionLoss.log_probabilities(logits)

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        return self._base().values(self, labels, logits, numbers)

    def as_fresh(self, numbers: dict[str, Any]) -> Fresh:
        """The loss as calibration sees it, for known numbers."""
        return self._base().as_fresh(self, numbers)
