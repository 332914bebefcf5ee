"""Losses in a `tf.function` of a user's own are traced as Keras' are."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import keras


def unconverted(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that AutoGraph leaves alone, with all that it calls.

    To convert it took seconds, and none of it branches on a tensor. Keras'
    own losses are not converted either, and no loss is in `fit`.
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
