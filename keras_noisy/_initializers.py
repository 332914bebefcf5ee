"""The initializer of each weight of a session layer."""

from typing import Any

import keras


def fresh_initializer(initializer: Any, width: int) -> Any:
    """An initializer for one weight, None for the published one."""
    if initializer is None:
        limit = width**-0.5
        return keras.initializers.RandomUniform(-limit, limit)
    # An instance draws the same numbers each time, so that weights of one
    # shape would be equal.
    is_instance = isinstance(initializer, keras.Initializer)
    return initializer.clone() if is_instance else initializer
