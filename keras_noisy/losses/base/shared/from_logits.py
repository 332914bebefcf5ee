"""Whether predictions are logits."""

from typing import Any

from keras_noisy._arguments import boolean
from keras_noisy.losses.base._arguments import Shared, needs_logits


class FromLogits(Shared):
    """True for logits, False for probabilities."""

    documentation = (
        "Whether predictions are logits. By default they are the "
        "probabilities of a model that ends in a softmax; rows that sum to "
        "0.9 to 1.1 are renormalized. Defaults to `False`."
    )

    def check(self, value: Any) -> bool:
        """The value."""
        return boolean(self.name, value)

    def verify(self, loss: Any) -> None:
        """Raise if the formula of the loss needs logits."""
        if loss.needs_logits and not loss.from_logits:
            raise needs_logits(type(loss).__name__)
