"""The layers of a model of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras


def all_layers(root: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """A layer and all layers inside it, even in lists and dictionaries."""
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, keras.layers.Layer):
            yield found
            waiting += [*vars(found).values(), *getattr(found, "layers", ())]
        elif isinstance(found, Mapping):
            waiting += list(found.values())
        elif isinstance(found, list | tuple):
            waiting += list(found)


def outer_input(layer: keras.layers.Layer) -> Any:
    """What a layer was first called with; `input` of a model is inside it."""
    return keras.Layer.input.fget(layer)


def outer_output(layer: keras.layers.Layer) -> Any:
    """What a layer first returned; `output` of a model is inside it."""
    return keras.Layer.output.fget(layer)
