"""The derivative of a function of tensors, by the backend in use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Gradient of the sum of `function(x)`, with concrete values.

    A training step may be traced at this moment. Tracing belongs to its
    thread, so the gradient is computed in another one.
    """
    derivatives = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
    backend = keras.backend.backend()
    if backend not in derivatives:
        raise RuntimeError(
            "The average error of this loss needs a backend that computes "
            f"gradients, one of {sorted(derivatives)}. Received: {backend!r}"
        )
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(derivatives[backend], function, x).result()


def _jax(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    import jax

    return np.asarray(jax.grad(lambda inputs: ops.sum(function(inputs)))(x))


def _tensorflow(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = ops.sum(function(inputs))
    return tape.gradient(total, inputs).numpy()


def _torch(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    import torch

    inputs = ops.convert_to_tensor(x).requires_grad_()
    (result,) = torch.autograd.grad(ops.sum(function(inputs)), inputs)
    return result.cpu().numpy()
