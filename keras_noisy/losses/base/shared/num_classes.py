"""The number of classes of a loss."""

from typing import Any

from keras_noisy._arguments import integer
from keras_noisy.losses.base._arguments import Shared


class NumClasses(Shared):
    """An integer of at least 2, or None to read it from the predictions."""

    documentation = (
        "Number of classes, an integer of at least 2. Optional: by default "
        "it is read from the shape of the predictions. Needed to see the "
        'value of an `"auto"` hyperparameter before training. Defaults to '
        "`None`."
    )

    def check(self, value: Any) -> int | None:
        """The integer."""
        return value if value is None else integer(self.name, value, 2)
