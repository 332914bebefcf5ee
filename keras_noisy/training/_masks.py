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
    """A layer, as only these may attach a mask by public means."""
    return keras.layers.Lambda(
        function, mask=mask, autocast=False, name="keep_mask"
    )


def stopped(x: Tensor) -> Tensor:
    """`x`, with its mask, without its gradient."""
    return _layer(ops.stop_gradient, lambda x, mask: mask)(x)


def joined(parts: list[Tensor]) -> Tensor:
    """The parts of a batch, with their masks, as one batch."""

    def mask(parts: list[Tensor], masks: list[Any]) -> Any:
        if any(mask is None for mask in masks):
            return None
        return ops.concatenate(masks, axis=0)

    return _layer(lambda parts: ops.concatenate(parts, axis=0), mask)(parts)


def averaged(outputs: list[Tensor]) -> Tensor:
    """The mean of outputs of the same samples, with the mask of the first."""
    return _layer(
        lambda outputs: sum(outputs) / len(outputs),
        lambda outputs, masks: masks[0],
    )(outputs)
