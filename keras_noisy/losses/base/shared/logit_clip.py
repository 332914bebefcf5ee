"""A largest norm of the logits (LogitClip)."""

from typing import Any

from keras_noisy._arguments import real
from keras_noisy.losses.base._arguments import Shared
from keras_noisy.losses.base._class_sums import squared_norm
from keras_noisy.losses.base._math import SMALL, at_least, plain_ops


class LogitClip(Shared):
    """A positive number, or None for no clip."""

    documentation = (
        "Largest Euclidean norm of the logits of a sample, a positive "
        "number; larger logits are scaled down to it. Needs "
        "`from_logits=True`, since probabilities do not show the norm, and "
        "finite logits. Defaults to `None`, no clip."
    )

    needs_logits = True

    def check(self, value: Any) -> float | None:
        """The number."""
        return value if value is None else real(self.name, value, low=0)

    @staticmethod
    def on_logits(logits: Any, norm: Any) -> Any:
        """`norm * logits / ||logits||` where their norm is larger."""
        squares = squared_norm(logits, SMALL / norm)
        return logits * (SMALL / plain_ops().sqrt(at_least(squares, SMALL**2)))
