"""How a calibration fades, and the key of the layer that knows it."""

from typing import Any

import keras

from keras_noisy.layers.calibration_fade import as_fade
from keras_noisy.losses.base._arguments import Shared


class Fade(Shared):
    """`"margin"`, a `MarginFade`, a schedule, or None for no fade."""

    documentation = (
        "How the calibration fades in training: the logit bias to 0, the "
        'margin scale to 1, and a hyperparameter that is `"auto"` to its '
        'value at 10 classes. `"margin"` fades it class by class as the '
        "network learns, see `keras_noisy.calibration.MarginFade`. A "
        "schedule of `keras.optimizers.schedules`, such as "
        "`CosineDecay(1.0, steps)`, gives the share of the calibration at "
        "each training batch (with gradient accumulation, at each of its "
        "parts). The outputs of the model must go through `connect`, and "
        "every output needs its own loss. On JAX, such a loss cannot be a "
        "metric. Defaults to `None`, no fade."
    )

    def check(self, value: Any) -> Any:
        """The fade as an object."""
        return value if value is None else as_fade(value)

    def config(self, value: Any) -> Any:
        """The fade, serialized."""
        return keras.saving.serialize_keras_object(value)


class FadeKey(Shared):
    """Text that ties a loss to its layer in a saved model."""

    documentation = (
        "Text that ties the loss to its layer in a saved model. Defaults to "
        "`None`, a new key."
    )
