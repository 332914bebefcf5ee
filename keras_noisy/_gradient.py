"""The gradient of a function of tensors, by the backend in use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import keras

Tensor = Any
Loss = Callable[[list[Tensor]], Tensor]


def gradient(loss: Loss, weights: list[Tensor]) -> list[Tensor]:
    """Gradient of the loss at these weights, 0 for those it does not use."""
    return BY_BACKEND[keras.backend.backend()](loss, weights)


def _jax(loss: Loss, weights: list[Tensor]) -> list[Tensor]:
    return sys.modules["jax"].grad(loss)(weights)


def _tensorflow(loss: Loss, weights: list[Tensor]) -> list[Tensor]:
    tf = sys.modules["tensorflow"]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        value = loss(weights)
    found = tape.gradient(value, weights, unconnected_gradients="zero")
    return [tf.convert_to_tensor(part) for part in found]


def _torch(loss: Loss, weights: list[Tensor]) -> list[Tensor]:
    torch = sys.modules["torch"]
    leaves = [weight.detach().requires_grad_() for weight in weights]
    with torch.enable_grad():
        value = loss(leaves)
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if part is None else part
        for leaf, part in zip(leaves, found, strict=True)
    ]


BY_BACKEND: dict[str, Callable[[Loss, list[Tensor]], list[Tensor]]]
BY_BACKEND = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
