"""The base of the losses that compute another one."""

from __future__ import annotations

from typing import Any, Self

import keras


class Wrapper(keras.losses.Loss):
    """Has the name, reduction and dtype of the loss inside."""

    def __init__(self, loss: keras.losses.Loss):
        super().__init__(loss.name, loss.reduction, loss.dtype)
        self.loss = loss

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {"loss": keras.losses.serialize(self.loss)}

    def __reduce__(self) -> tuple[Any, ...]:
        # Keras would copy the state of the layers too.
        return type(self).from_config, (self.get_config(),)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the loss and its inner loss."""
        loss = keras.losses.deserialize(config["loss"])
        return cls(**{**config, "loss": loss})
