"""Losses in a user's `tf.function` are traced like those of Keras."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import keras


def unconverted(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that AutoGraph leaves alone, with everything that it calls.

    Converting it took seconds, and nothing in it branches on a tensor.
    AutoGraph does not convert Keras' losses either, nor any loss in `fit`.
    """

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        if keras.backend.backend() != "tensorflow":
            return method(*args, **kwargs)
        return _of_tensorflow(method)(*args, **kwargs)

    return call


@functools.cache
def _of_tensorflow(method: Callable[..., Any]) -> Callable[..., Any]:
    autograph = sys.modules["tensorflow"].autograph
    return autograph.experimental.do_not_convert(method)
