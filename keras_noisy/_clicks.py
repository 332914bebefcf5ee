"""Clicks of sessions and their states, some of which are padding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._label_tensors import widened

Tensor = Any


def checked_clicks(clicks: Any) -> Tensor:
    """`clicks` as integers of shape `(N, length)`; -1 if not an integer."""
    clicks = ops.convert_to_tensor(clicks)
    if len(clicks.shape) != 2:
        raise ValueError(
            "Invalid value for argument `clicks`. Expected integers of shape "
            "(N, length), item numbers from 1 and 0 for padding. Received: "
            f"shape {tuple(clicks.shape)}. Pass a single session as a list of "
            "one session"
        )
    if clicks.shape[1] == 0:
        raise ValueError(
            "Invalid value for argument `clicks`. Expected at least one "
            f"column. Received: shape {tuple(clicks.shape)}. Write a session "
            "without a click as [0]"
        )
    return whole_numbers(clicks)


def whole_numbers(numbers: Any) -> Tensor:
    """Numbers as integers; -1 for a float that is not whole or may be rounded.

    On several TensorFlow devices, Keras builds models with floats.
    """
    numbers = ops.convert_to_tensor(numbers)
    dtype = keras.backend.standardize_dtype(numbers.dtype)
    if not keras.backend.is_float_dtype(dtype):
        # The number of items may not fit into what the clicks are in.
        return widened(numbers)
    highest = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}
    is_whole = ops.logical_and(
        ops.equal(numbers, ops.floor(numbers)),
        ops.abs(numbers) < highest.get(dtype, 2**31),
    )
    return ops.cast(ops.where(is_whole, numbers, -1), "int32")


def valid_positions(states: Tensor, mask: Tensor) -> Tensor:
    """`mask` as booleans of shape `(N, length)`; without one, all are valid."""
    if mask is None:
        return ops.ones(ops.shape(states)[:2], "bool")
    return ops.cast(mask, "bool")


def last_state(states: Tensor, valid: Tensor) -> Tensor:
    """The state at the last valid position, or zeros if there is none."""
    places = ops.arange(1, ops.shape(states)[1] + 1, dtype="int32")
    places = ops.where(valid, places[None], 0)
    is_last = ops.equal(places, ops.max(places, axis=1, keepdims=True))
    chosen = ops.logical_and(valid, is_last)
    return ops.sum(ops.where(chosen[..., None], states, 0), axis=1)


def masked_softmax(scores: Tensor, valid: Tensor, axis: int) -> Tensor:
    """Softmax over valid entries; zeros elsewhere, or if there are none."""
    dtype = keras.backend.standardize_dtype(scores.dtype)
    # Exponentials of half precision lose too many digits.
    wide = ops.cast(scores, "float64" if dtype == "float64" else "float32")
    highest = ops.max(ops.where(valid, wide, -1e30), axis=axis, keepdims=True)
    shifted = ops.where(valid, wide - ops.stop_gradient(highest), 0.0)
    powers = ops.where(valid, ops.exp(shifted), 0.0)
    total = ops.sum(powers, axis=axis, keepdims=True)
    return ops.cast(powers / ops.where(total > 0, total, 1.0), dtype)
