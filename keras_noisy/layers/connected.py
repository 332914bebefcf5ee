"""Puts the layers that own the state of a loss into a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras

from keras_noisy._layers import outer_input, outer_output
from keras_noisy.layers.loss_state import PassThrough

Tensor = Any


def connected(outputs: Tensor, layers: Sequence[PassThrough]) -> Tensor:
    """Pass the outputs of a model through layers.

    Losses and logs use the name of the last layer. A layer that the user named
    stays the last, and the new layers come before it.
    """
    if not isinstance(outputs, keras.KerasTensor) and _is_within_a_call():
        raise ValueError(
            "Expected `loss.connect(outputs)` where a functional model is "
            "built. Received: one in `call` of a layer or model, where each "
            "step would begin with a new state. Connect the whole model: "
            "`outputs = loss.connect(model(inputs))` and `keras.Model(inputs, "
            "outputs)` with `inputs = keras.Input(...)`"
        )
    last = _named_layer(outputs)
    inputs = outputs if last is None else outer_input(last)
    several = isinstance(inputs, list)
    first, *others = inputs if several else [inputs]
    for layer in layers:
        single = len(outputs.shape) == 1 or outputs.shape[-1] == 1
        layer.num_classes = 2 if single else outputs.shape[-1]
        first = layer(first)
    if last is None:
        return first
    return last([first, *others] if several else first)


def _is_within_a_call() -> bool:
    """Whether a layer is being called, as a new variable shows."""
    try:
        outside = keras.Variable(0.0, trainable=False, name="outside")
    except ValueError:  # A compiled step or a scope has none.
        return True
    return "/" in outside.path


#: Layers that are called with a list of inputs.
_MERGING = (
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Concatenate,
    keras.layers.Dot,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.Subtract,
)


def _named_layer(outputs: Tensor) -> keras.layers.Layer | None:
    """The layer that returned the outputs, if the user named it."""
    if not isinstance(outputs, keras.KerasTensor):
        return None
    model = keras.Model(keras.utils.get_source_inputs(outputs), outputs)
    (name,) = model.output_names
    for layer in model.layers:
        if layer.name != name or isinstance(layer, keras.layers.InputLayer):
            continue
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        words = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        if re.fullmatch(rf"{words}(_\d+)?", name):
            return None
        # Keras knows the input of only the first call.
        if outer_output(layer) is not outputs:
            return None
        given = outer_input(layer)
        is_one = isinstance(given, keras.KerasTensor)
        return layer if is_one or isinstance(layer, _MERGING) else None
    return None
