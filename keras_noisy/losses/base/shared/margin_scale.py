"""A factor of the margin of the true class."""

from typing import Any

from keras_noisy._arguments import invalid, is_auto, real
from keras_noisy.losses.base._arguments import Shared


class MarginScale(Shared):
    """A number in (0, 1], `"auto"`, or None for the margin as it is.

    It replaces the bias, and acts on clipped or normalized logits.
    """

    documentation = (
        "Number in (0, 1] that multiplies the margin of the true class, "
        'instead of a bias; `"auto"` computes it from the number of classes, '
        "see `keras_noisy.calibration.matched_margin_scale`. Only for losses "
        "of the true-class probability alone. Defaults to `None`, which is a "
        "scale of 1."
    )

    auto = True

    def check(self, value: Any) -> float | str | None:
        """The number."""
        if value is None or is_auto(value):
            return value
        return real(
            self.name,
            value,
            low=0,
            high=1,
            closed="high",
            alternative=', None or "auto"',
        )

    def verify(self, loss: Any) -> None:
        """Raise if there is also a bias, or if the loss needs all classes."""
        value = loss.arguments[self.name]
        if value is None:
            return
        if not loss.has_formula:
            raise invalid(
                self.name,
                value,
                f"None: {type(loss).__name__} depends on the whole "
                "distribution, and the scale is for losses of the probability "
                "of the label alone, such as `MAE` and `GCE`. Leave it out, or "
                "use one of these",
            )
        if loss.arguments["logit_bias"] is not None:
            raise ValueError(
                "Pass `logit_bias` or `margin_scale`, not both: each alone "
                "restores the error of few classes. Received: logit_bias="
                f"{loss.arguments['logit_bias']!r}, {self.name}={value!r}"
            )
