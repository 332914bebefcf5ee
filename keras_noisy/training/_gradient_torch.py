"""Gradient of a function of weights, with PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Tensor = Any


def gradient(
    loss: Callable[[list[Tensor]], Tensor], weights: list[Tensor]
) -> list[Tensor]:
    """Gradient of the loss at these weights."""
    torch = sys.modules["torch"]
    leaves = [weight.detach().requires_grad_() for weight in weights]
    with torch.enable_grad():
        value = loss(leaves)
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if part is None else part
        for leaf, part in zip(leaves, found, strict=True)
    ]
