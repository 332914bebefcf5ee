"""A trained model without the state of its loss."""

from typing import Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy.layers.loss_state import PassThrough


def without_state(model: keras.Model) -> keras.Model:
    """Remove the layers that hold the state of a loss from a model.

    Use it to deploy a model that was trained with `ELR`, `SOP` or a `fade`: the
    new model predicts the same, is smaller, is not compiled, and loads without
    this package. A model inside the model is replaced in the same way, also
    one that was compiled with a loss or metric of this package: Keras would
    load these with it, even with `compile=False`.

    Args:
        model: A functional or sequential model.

    Returns:
        A new `keras.Model` that shares the other layers and their weights.

    Raises:
        ValueError: If the model is neither functional nor sequential, or has
            not been built.

    Example:

    >>> import keras
    >>> from keras_noisy.layers import without_state
    >>> from keras_noisy.losses import ELR
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(10, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, ELR(num_samples=1000).connect(outputs))
    >>> model.count_params(), without_state(model).count_params()
    (10100, 90)

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, PassThrough):
            return args[0]
        return layer(*args, **kwargs)

    if not getattr(model, "inputs", None):
        expected = "a built model that is functional or sequential"
        raise invalid("model", type(model), expected)
    if isinstance(model, keras.Sequential):
        kept = [x for x in model.layers if not isinstance(x, PassThrough)]
        (given,) = model.inputs
        # The default dtype, float32, would break text and large numbers.
        inputs = keras.Input(
            batch_shape=given.shape,
            dtype=given.dtype,
            sparse=given.sparse,
            name=given.name,
        )
        layers = [inputs, *map(_without_state, kept)]
        return keras.Sequential(layers, name=model.name)
    plain = keras.models.clone_model(
        model, clone_function=_without_state, call_function=call
    )
    if plain.compiled:  # Keras clones the loss too.
        plain = keras.Model(plain.input, plain.output, name=plain.name)
    return plain


def _without_state(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer itself, unless it is a model that needs this package."""
    is_model = not isinstance(layer, PassThrough) and _needs_package(layer)
    return without_state(layer) if is_model else layer


def _needs_package(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, PassThrough):
        return True
    is_compiled = isinstance(layer, keras.Model) and layer.compiled
    if is_compiled and "keras_noisy" in str(layer.get_compile_config()):
        return True
    return any(_needs_package(part) for part in getattr(layer, "layers", ()))
