"""A loss as calibration sees it, at the start of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

Tensor = Any


class Fresh(NamedTuple):
    """The functions of a loss for a number of classes, with known numbers."""

    #: Name of its class, for messages.
    name: str
    logit_bias: float
    margin_scale: float
    #: Sizes of the axes between samples and classes.
    view_axes: tuple[int, ...]
    #: Values of labels and logits, with bias and transforms.
    values: Callable[[Any, Tensor], Tensor]
    #: Values of log-probabilities of the true class, if these are enough.
    formula: Callable[[Tensor], Tensor] | None = None
    #: Error over `1 - p` as powers of p and their coefficients, if it is a sum
    #: of powers.
    powers: dict[float, float] | None = None
    #: Share of each class among the labels, and the number added to its logit,
    #: with `logit_adjustment`.
    shares: tuple[float, ...] | None = None
    shift: tuple[float, ...] | None = None


class Calibratable(Protocol):
    """A loss that can be calibrated, as all losses of this package can."""

    #: Values that are known to train with 10 classes.
    references: dict[str, float]
    num_classes: int | None
    name: str

    def fresh(self, num_classes: int, **changes: Any) -> Fresh:
        """The functions of the loss, with some arguments changed."""

    def automatic_arguments(self) -> list[str]:
        """Names of the arguments that are `"auto"`."""

    def get_config(self) -> dict[str, Any]:
        """All arguments."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A loss with these arguments."""
