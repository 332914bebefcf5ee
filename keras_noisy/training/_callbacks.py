"""Add a callback that a model needs in `fit`."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from keras_noisy._arguments import invalid


def with_callback(
    callback: keras.callbacks.Callback,
    model: keras.Model,
    args: tuple,
    kwargs: dict[str, Any],
) -> tuple[tuple, dict[str, Any]]:
    """Arguments of `fit` with a callback before the user's callbacks."""
    given = inspect.signature(keras.Model.fit).bind(model, *args, **kwargs)
    callbacks = given.arguments.get("callbacks") or []
    if isinstance(callbacks, keras.callbacks.CallbackList):
        raise invalid("callbacks", type(callbacks), "a list of callbacks")
    if not isinstance(callbacks, list | tuple):
        callbacks = [callbacks]
    given.arguments["callbacks"] = [callback, *callbacks]
    return given.args[1:], given.kwargs
