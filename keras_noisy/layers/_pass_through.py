"""The base of the layers that own the state of a loss."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import Any, Self

import keras

Tensor = Any

# A loss finds its layer by the key of both: the one that was called last, as
# a loaded or cloned model has a layer of its own with the same key.
_BY_KEY: weakref.WeakValueDictionary[str, PassThrough]
_BY_KEY = weakref.WeakValueDictionary()


class PassThrough(keras.layers.Layer):
    """Hands its inputs on and owns the state of a loss.

    A training step of Keras only carries on, and a saved model only holds,
    what belongs to the model.

    Args:
        key: Text by which the loss finds the layer when a model is loaded.
            Defaults to `None`, a new one.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    #: The property of the loss that holds the layer, for messages.
    role = "memory"

    def __init__(self, key: str | None = None, **kwargs: Any):
        # What a float32 head gives under mixed precision stays float32.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.key = key or uuid.uuid4().hex
        # Replicas of TensorFlow are threads, which take turns.
        self._last = threading.local()
        _BY_KEY[self.key] = self

    @classmethod
    def of_key(cls, key: str) -> Self | None:
        """The layer of this key that was made or called last."""
        layer = _BY_KEY.get(key)
        return layer if isinstance(layer, cls) else None

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Hand the inputs on, and tell the loss whether this is training."""
        self._last.call = "training" if training else "inference"
        _BY_KEY[self.key] = self
        return inputs

    def is_training(self) -> bool:
        """Whether the last call was that of a training step; asked once."""
        last = getattr(self._last, "call", None)
        if last is None:
            raise ValueError(
                f"Predictions did not come through the {self.role} of the "
                "loss. Build the model with "
                "`outputs = loss.connect(outputs)` behind its last layer"
            )
        self._last.call = "inference"
        return last == "training"

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "key": self.key}


class Reference:
    """Holds a layer of the model without being taken for its owner."""

    def __init__(self, layer: PassThrough):
        self.layer = layer

    @property
    def called(self) -> PassThrough:
        """The layer of the model in use: a clone has one of its own."""
        return PassThrough.of_key(self.layer.key) or self.layer

    def __deepcopy__(self, memo: dict) -> Reference:
        return self

    def __reduce__(self):
        layer = self.layer
        return _reference, (type(layer), layer.key, layer.get_config())


def _reference(kind: type, key: str, config: dict[str, Any]) -> Reference:
    return Reference(PassThrough.of_key(key) or kind.from_config(config))
