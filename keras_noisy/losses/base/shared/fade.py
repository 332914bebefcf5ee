"""How a calibration fades, and the key of the layer that knows it."""

from typing import Any

import keras

from keras_noisy.layers.calibration_fade import as_fade
from keras_noisy.losses.base._arguments import Shared


class Fade(Shared):
    """`"margin"`, a `MarginFade`, a schedule, or None for no fade."""

    def check(self, value: Any) -> Any:
        """The fade as an object."""
        return value if value is None else as_fade(value)

    def config(self, value: Any) -> Any:
        """The fade, serialized."""
        if value is None:
            return None
        return keras.saving.serialize_keras_object(value)


class FadeKey(Shared):
    """Text that ties a loss to its layer in a saved model."""
