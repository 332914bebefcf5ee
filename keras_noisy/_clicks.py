"""Clicks of sessions and their states, of which some are padding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


def checked_clicks(clicks: Any) -> Tensor:
    """`clicks` as integers of shape `(N, length)`."""
    clicks = ops.convert_to_tensor(clicks)
    dtype = keras.backend.standardize_dtype(clicks.dtype)
    if len(clicks.shape) != 2 or not keras.backend.is_int_dtype(dtype):
        raise ValueError(
            "Invalid value for argument `clicks`. Expected integers of shape "
            "(N, length), item numbers from 1 and 0 for padding. Received: "
            f"dtype {dtype}, shape {tuple(clicks.shape)}. Pass NumPy integers, "
            "such as `keras_noisy.datasets.SessionDataset` gives"
        )
    return clicks


def valid_positions(states: Tensor, mask: Tensor) -> Tensor:
    """`mask` as booleans of shape `(N, length)`; without one, all are valid."""
    if mask is None:
        return ops.ones(ops.shape(states)[:2], "bool")
    return ops.cast(mask, "bool")


def last_state(states: Tensor, valid: Tensor) -> Tensor:
    """The state at the last valid position, zeros where there is none."""
    places = ops.arange(1, ops.shape(states)[1] + 1, dtype="int32")
    places = ops.where(valid, places[None], 0)
    is_last = ops.equal(places, ops.max(places, axis=1, keepdims=True))
    chosen = ops.logical_and(valid, is_last)
    return ops.sum(ops.where(chosen[..., None], states, 0), axis=1)


def masked_softmax(scores: Tensor, valid: Tensor, axis: int) -> Tensor:
    """Softmax over valid entries; zeros elsewhere, and where there is none."""
    dtype = keras.backend.standardize_dtype(scores.dtype)
    # Exponentials of half precision lose too many digits.
    wide = ops.cast(scores, "float64" if dtype == "float64" else "float32")
    highest = ops.max(ops.where(valid, wide, -1e30), axis=axis, keepdims=True)
    shifted = ops.where(valid, wide - ops.stop_gradient(highest), 0.0)
    powers = ops.where(valid, ops.exp(shifted), 0.0)
    total = ops.sum(powers, axis=axis, keepdims=True)
    return ops.cast(powers / ops.where(total > 0, total, 1.0), dtype)
