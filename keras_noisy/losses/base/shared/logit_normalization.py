"""A temperature of normalized logits (LogitNorm)."""

from typing import Any

from keras_noisy._arguments import real
from keras_noisy.losses.base._arguments import Shared
from keras_noisy.losses.base._class_sums import squared_norm
from keras_noisy.losses.base._math import SMALL, TINY, at_least, plain_ops


class LogitNormalization(Shared):
    """A positive number, or None for logits as they are."""

    documentation = (
        "Temperature of normalized logits, a positive number such as 0.04: "
        "the logits of a sample get the Euclidean norm 1 / temperature. It "
        "replaces `logit_clip`, and has the same requirements. Defaults to "
        "`None`, no normalization."
    )

    needs_logits = True

    def check(self, value: Any) -> float | None:
        """The number."""
        return value if value is None else real(self.name, value, low=0)

    def verify(self, loss: Any) -> None:
        """Raise if there is also a clip, which would do nothing then."""
        if None not in (loss.logit_clip, loss.logit_normalization):
            raise ValueError(
                "Pass `logit_clip` or `logit_normalization`, not both: "
                "normalized logits all have the same norm. Received: "
                f"logit_clip={loss.logit_clip:g}, "
                f"logit_normalization={loss.logit_normalization:g}"
            )
        super().verify(loss)

    @staticmethod
    def on_logits(logits: Any, temperature: Any) -> Any:
        """`logits / ((||logits|| + 1e-7) * temperature)`."""
        squares = squared_norm(logits, SMALL)
        # The root has no derivative at 0; this floor is as good there.
        norm = plain_ops().sqrt(at_least(squares, TINY)) / SMALL
        return logits * (1 / ((norm + 1e-7) * temperature))
