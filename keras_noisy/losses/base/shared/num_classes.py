"""The number of classes of a loss."""

from typing import Any

from keras_noisy._arguments import integer
from keras_noisy.losses.base._arguments import Shared


class NumClasses(Shared):
    """An integer of at least 2, None where the predictions tell it."""

    def check(self, value: Any) -> int | None:
        """The integer."""
        return value if value is None else integer(self.name, value, 2)
