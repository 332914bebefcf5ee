"""Models that have not been trained yet."""

from __future__ import annotations

import functools
import hashlib
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid

EXPECTED = "a function of no arguments that returns a new compiled model"
#: Weights that training has changed, with a digest of their values after it.
_LEARNED: dict[int, tuple[weakref.ref, bytes]] = {}


def check_builder(build_model: Any) -> None:
    """Raise unless it is a function, rather than a model."""
    if isinstance(build_model, keras.Model) or not callable(build_model):
        raise invalid("build_model", build_model, EXPECTED)


def built(build_model: Callable[[], keras.Model]) -> keras.Model:
    """A new model; an error if the result is not a model."""
    check_builder(build_model)
    model = build_model()
    if not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise ValueError(
            "Invalid value for argument `build_model`. Expected "
            f"{EXPECTED}. Received: one that returns a "
            f"{type(model).__name__}"
        )
    return model


def train(model: Any, x: Any, y: Any, **fit_arguments: Any) -> None:
    """Fit a model; raise if it has learned from another fold.

    Such a model would predict samples that it has seen in another fold. A model
    that is built only once counts as new if its weights are reset each time.
    """
    before = {}
    for variable in _weights(model):
        key, now, path = id(variable), _digest(variable), variable.path
        of, learned = _LEARNED.get(key, (None, b""))
        if of and of() is variable and learned == now:
            raise ValueError(
                f"Invalid value for argument `build_model`. Expected "
                f"{EXPECTED}. Received: one whose models share the weight "
                f"{path}, which an earlier fold has trained, so that they "
                "predict samples that they have seen. Create new layers in "
                "the function, or freeze the layers of a trained network "
                "with `trainable = False`"
            )
        before[key] = now
    model.fit(x, y, **{"verbose": 0, **fit_arguments})
    for variable in _weights(model):
        key, now = id(variable), _digest(variable)
        if before.get(key) != now:
            forget = functools.partial(_forget, key)
            _LEARNED[key] = weakref.ref(variable, forget), now


def _forget(key: int, of: weakref.ref) -> None:
    if _LEARNED.get(key, (None,))[0] is of:
        del _LEARNED[key]


def _weights(model: Any) -> list[keras.Variable]:
    """The weights that training changes; a user's own class may not say."""
    return list(getattr(model, "trainable_variables", ()))


def _digest(variable: keras.Variable) -> bytes:
    array = np.ascontiguousarray(ops.convert_to_numpy(variable))
    return hashlib.sha256(array.tobytes()).digest()
