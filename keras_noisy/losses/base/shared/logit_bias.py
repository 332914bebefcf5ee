"""A number that is added to the logit of the true class."""

from typing import Any

from keras_noisy._arguments import is_auto, real
from keras_noisy.losses.base._arguments import Shared


class LogitBias(Shared):
    """A number, `"auto"`, or None for no bias.

    It is the last change to the logits. A loss of the true class applies it
    without the other logits, see its `values`.
    """

    documentation = (
        'Number added to the logit of the true class; `"auto"` computes it '
        "from the number of classes, see "
        "`keras_noisy.calibration.matched_logit_bias`. Defaults to `None`, "
        "no bias."
    )

    auto = True

    def check(self, value: Any) -> float | str | None:
        """The number."""
        if value is None or is_auto(value):
            return value
        return real(self.name, value, alternative=', None or "auto"')
