"""Operations on outputs that keep the masks of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any


def _layer(
    function: Callable[[Any], Tensor], mask: Callable[[Any, Any], Any]
) -> keras.layers.Layer:
    """A layer, since only layers can attach a mask through the public API."""
    return keras.layers.Lambda(
        function, mask=mask, autocast=False, name="keep_mask"
    )


def stopped(x: Tensor) -> Tensor:
    """`x` with its mask, but without its gradient."""
    return _layer(ops.stop_gradient, lambda x, mask: mask)(x)


def joined(parts: list[Tensor], sizes: list[Any]) -> Tensor:
    """The first samples of each part, with their masks, as one batch."""

    def join(parts: list[Tensor]) -> Tensor:
        pairs = zip(parts, sizes, strict=True)
        return ops.concatenate([part[:size] for part, size in pairs], axis=0)

    def mask(parts: list[Tensor], masks: list[Any]) -> Any:
        return None if any(m is None for m in masks) else join(masks)

    return _layer(join, mask)(parts)


def averaged(outputs: list[Tensor]) -> Tensor:
    """The mean of outputs of the same samples, with the mask of the first."""
    return _layer(
        lambda outputs: sum(outputs) / len(outputs),
        lambda outputs, masks: masks[0],
    )(outputs)
