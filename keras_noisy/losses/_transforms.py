"""From what a model predicts to log-probabilities, clipped and biased."""

from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

TINY = float(np.finfo("float32").tiny)


def log_of_probabilities(probabilities: Tensor, dtype: str) -> Tensor:
    """Logits of which `probabilities` is the softmax.

    Probabilities count down to the smallest normal float32, nothing is
    clamped above it. Their softmax renormalises them.
    """
    half = keras.backend.standardize_dtype(probabilities.dtype) == "float16"
    probabilities = ops.cast(probabilities, dtype)
    logits = ops.log(ops.maximum(probabilities, TINY))
    if not half:
        return logits
    # A gradient of 1/p below 2^-15 would overflow float16 on its way back.
    steepest = 2.0**15
    straight = ops.stop_gradient(logits) + steepest * (
        probabilities - ops.stop_gradient(probabilities)
    )
    return ops.where(probabilities * steepest < 1, straight, logits)


def clip(logits: Tensor, norm: float) -> Tensor:
    """`norm * logits / ||logits||` where the norm of the logits is larger."""
    squares = ops.sum(ops.square(logits), axis=-1, keepdims=True)
    return logits * (norm / ops.sqrt(ops.maximum(squares, norm**2)))


def log_probability(index: Tensor, logits: Tensor) -> Tensor:
    """Log-softmax of (N, K) logits at the (N,) index of each row.

    No one-hot matrix is made. TensorFlow and PyTorch have a fused kernel;
    on JAX the same Keras function would multiply with a one-hot matrix.
    """
    if keras.backend.backend() == "jax":
        picked = ops.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
        return picked - ops.logsumexp(logits, axis=-1)
    return -ops.sparse_categorical_crossentropy(index, logits, from_logits=True)


def biased(log_p: Tensor, bias: float) -> Tensor:
    """Log-probability of a class after `bias` was added to its logit.

    With the margin `log(p / (1 - p))` of the class over all others this is
    `log_sigmoid(margin + bias)`, exact at both ends and for any bias.
    """
    others = ops.log(ops.maximum(-ops.expm1(log_p), TINY))
    return ops.log_sigmoid(log_p - others + bias)


def expm1(x: Tensor) -> Tensor:
    """`exp(x) - 1` with an exact derivative also where it is near -1.

    JAX and PyTorch derive `expm1` as its value plus 1, which rounds to 0.
    """
    return ops.where(x < -1, ops.exp(x) - 1, ops.expm1(x))
