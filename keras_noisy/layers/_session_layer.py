"""The base of the layers for sessions: one initializer for all weights."""

from __future__ import annotations

from typing import Any

import keras

from keras_noisy._initializers import fresh_initializer

Tensor = Any


class SessionLayer(keras.layers.Layer):
    """A layer whose weights all have one initializer and one regularizer."""

    def __init__(
        self, initializer: Any = None, regularizer: Any = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)

    def fresh_initializer(self, width: int) -> Any:
        """The initializer of one weight."""
        return fresh_initializer(self.initializer, width)

    def weight(self, name: str, shape: tuple[int, ...], width: int) -> Tensor:
        """A weight; `width` is the width of a state."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=self.fresh_initializer(width),
            regularizer=self.regularizer,
        )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None, as the output does not have one vector for each position."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }
