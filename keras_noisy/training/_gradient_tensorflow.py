"""Gradient of a function of weights, with TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Tensor = Any


def gradient(
    loss: Callable[[list[Tensor]], Tensor], weights: list[Tensor]
) -> list[Tensor]:
    """Gradient of the loss at these weights."""
    tf = sys.modules["tensorflow"]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        value = loss(weights)
    found = tape.gradient(value, weights, unconnected_gradients="zero")
    return [tf.convert_to_tensor(part) for part in found]
