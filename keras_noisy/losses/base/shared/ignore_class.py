"""A label of samples that are left out."""

from typing import Any

from keras_noisy._arguments import integer, invalid
from keras_noisy.losses.base._arguments import Shared


class IgnoreClass(Shared):
    """An integer of 32 bits, or None to leave out none."""

    documentation = (
        "Integer label of samples to leave out, such as -1 or 255; the mean "
        "is then over the other samples. It has no effect on one-hot and "
        "soft targets. Defaults to `None`."
    )

    def check(self, value: Any) -> int | None:
        """The integer."""
        if value is None:
            return None
        value = integer(self.name, value, -(2**31))
        if value >= 2**31:
            raise invalid(self.name, value, "less than 2**31")
        return value
