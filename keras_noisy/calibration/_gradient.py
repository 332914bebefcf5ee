"""The derivative of a function of arrays, outside of a traced step."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy import _gradient


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Gradient of the sum of `function(x)`, with concrete values.

    A training step may be traced at this moment. Tracing belongs to its
    thread, so the gradient is computed in another one.
    """
    backend = keras.backend.backend()
    if backend not in _gradient.BY_BACKEND:
        raise RuntimeError(
            "The average error of this loss needs a backend that computes "
            f"gradients, one of {sorted(_gradient.BY_BACKEND)}. Received: "
            f"{backend!r}"
        )
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(gradient_here, function, x).result()


def gradient_here(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """The same in this thread."""
    (found,) = _gradient.gradient(
        lambda inputs: ops.sum(function(*inputs)), [ops.convert_to_tensor(x)]
    )
    return np.asarray(ops.convert_to_numpy(found))
