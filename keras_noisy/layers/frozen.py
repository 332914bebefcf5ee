"""A model as a layer that never trains."""

from __future__ import annotations

from typing import Any, Self

import keras

from keras_noisy._arguments import invalid

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class Frozen(keras.layers.Layer):
    """A model in inference mode, whatever the mode of the model around it.

    For a backbone whose features are used unchanged. Its weights do not train,
    batch normalization keeps its statistics, and dropout is off. Keras itself
    passes the training mode on to a functional model inside another, even if it
    was called with `training=False`, so its dropout would be active. Setting
    `trainable` of the layer or of the model around it changes nothing: to train
    the weights later, set `model.trainable = True` and call `model` itself.

    Args:
        model: A `keras.Model` that has been built. It is not copied, and is no
            longer trainable afterwards.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Inputs of the model.

    Returns:
        When called, outputs of the model.

    Raises:
        ValueError: If `model` is not a model that has been built.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.layers import Frozen
    >>> x = np.ones((2, 4), "float32")
    >>> dropout = keras.layers.Dropout(0.9)
    >>> frozen = Frozen(keras.Sequential([keras.Input((4,)), dropout]))
    >>> float(keras.ops.sum(frozen(x, training=True)))
    8.0

    References:
        - Kang et al., Decoupling representation and classifier for long-tailed
          recognition, ICLR 2020, arXiv 1910.09217
    """

    def __init__(self, model: keras.Model, **kwargs: Any):
        kwargs["trainable"] = False
        super().__init__(**kwargs)
        if not isinstance(model, keras.Model) or not model.built:
            raise invalid("model", model, "a keras.Model that has been built")
        self.supports_masking = True
        self.model = model
        self.model.trainable = False

    @property
    def trainable(self) -> bool:
        """False, though Keras sets it for all layers of a model at once."""
        return False

    @trainable.setter
    def trainable(self, value: bool) -> None:
        pass

    def build(self, input_shape: Any) -> None:
        """Nothing to create: the model has its weights."""

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Outputs of the model, in inference mode."""
        return self.model(inputs, training=False)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the layer and its model."""
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})
