"""Arithmetic of losses: exact values, finite gradients, three backends."""

import math
import sys
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._stochastic import SUM_TOLERANCE

Tensor = Any

TINY = float(np.finfo("float32").tiny)
#: Replaces the log-probability -inf of a ruled-out class, which would make a
#: sum or a product NaN. No network reaches a value this low.
LOWEST = -1e6
#: Stands for the log-probability 0 where slopes divide by it, also twice.
HIGHEST = -(2.0**-60)
#: With fewer classes, TensorFlow spends more time on calls than on matrices.
FEW = 256


def compute_dtype(dtype: str) -> str:
    """float32 at least, and float64 if the backend has it."""
    if dtype != "float64":
        return "float32"
    if keras.backend.backend() == "jax":
        has_it = sys.modules["jax"].config.jax_enable_x64
        return "float64" if has_it else "float32"
    return dtype


def plain_ops() -> Any:
    """Keras' operations, or PyTorch's own of the same names.

    On small arrays, Keras' overhead takes longer than the operations.
    """
    return sys.modules["torch"] if keras.backend.backend() == "torch" else ops


def at_least(x: Tensor, low: float) -> Tensor:
    """The larger of `x` and a number, in the dtype of `x`."""
    if keras.backend.backend() == "torch":
        if not x.requires_grad:
            return x.clip(min=low)
        # The gradient of `clip` takes several times as long.
        return sys.modules["torch"].threshold(x, low, low)
    # The gradient of `maximum` is slower on TensorFlow.
    return ops.clip(x, low, math.inf)


def at_most(x: Tensor, high: float) -> Tensor:
    """The smaller of `x` and a number, in the dtype of `x`."""
    if keras.backend.backend() == "torch":
        return x.clip(max=high)
    return ops.minimum(x, ops.convert_to_tensor(high, dtype=x.dtype))


def between(x: Tensor, low: float, high: float) -> Tensor:
    """`x` within two numbers, in the dtype of `x`."""
    if keras.backend.backend() == "torch":
        return x.clip(low, high)
    low, high = (ops.convert_to_tensor(c, dtype=x.dtype) for c in (low, high))
    return ops.clip(x, low, high)


def is_distribution(sums: Tensor, x: Tensor) -> Tensor:
    """Whether rows are probabilities, given their sums; False for NaN."""
    near = ops.abs(sums - 1) < SUM_TOLERANCE
    return ops.logical_and(near, ops.all(x >= 0, axis=-1))


def log_of_probabilities(probabilities: Tensor, dtype: str) -> Tensor:
    """Logits whose softmax is `probabilities`.

    Only probabilities below the smallest normal float32 are clamped. The
    softmax of the logits renormalizes them.
    """
    half = keras.backend.standardize_dtype(probabilities.dtype) == "float16"
    return finite_log(cast(probabilities, dtype), half)


def finite_log(probabilities: Tensor, half: bool) -> Tensor:
    """Logarithm, also of 0; its gradient can go back to half precision."""
    logits = ops.log(at_least(probabilities, TINY))
    # The gradient 1/p would overflow in backpropagation, in float16 from 2^-16
    # on: below these probabilities it stays constant.
    steepest = 2.0**15 if half else 2.0**100
    straight = ops.stop_gradient(logits) + steepest * (
        probabilities - ops.stop_gradient(probabilities)
    )
    return ops.where(probabilities * steepest < 1, straight, logits)


#: Logits are scaled by about this number before they are squared, so that
#: the squares of a diverged network do not overflow.
SMALL = 2.0**-30


def entry(x: Tensor, index: Tensor) -> Tensor:
    """Entry of each row of (N, K) values at an (N,) index."""
    if keras.backend.backend() == "jax":
        # XLA fuses a masked sum, but not the scatter in a gather's gradient.
        classes = ops.arange(x.shape[-1], dtype=index.dtype)
        here = classes == index[:, None]
        return ops.sum(ops.where(here, x, 0.0), axis=-1)
    if keras.backend.backend() == "torch":
        return x.gather(1, index.long()[:, None])[:, 0]
    return ops.take_along_axis(x, index[:, None], axis=-1)[:, 0]


def added(x: Tensor, index: Tensor, value: float | Tensor) -> Tensor:
    """(N, K) values, with a number or (N, 1) ones added at an (N,) index."""
    if keras.backend.backend() == "torch":
        value = value + ops.zeros_like(x[:, :1])
        return x.scatter_add(1, index.long()[:, None], value)
    many = (x.shape[-1] or 0) >= FEW
    if many and keras.backend.backend() == "tensorflow":
        tf: Any = sys.modules["tensorflow"]
        value = value + ops.zeros_like(x[:, :1])
        return tf.tensor_scatter_nd_add(x, places(index), value[:, 0])
    classes = ops.arange(ops.shape(x)[-1], dtype=index.dtype)
    return ops.where(classes == index[:, None], x + value, x)


def places(index: Tensor) -> Tensor:
    """Row and column of the entries at an (N,) index, of shape (N, 2)."""
    index = ops.cast(index, "int32")
    return ops.stack([ops.arange(ops.shape(index)[0]), index], axis=1)


def put(x: Tensor, index: Tensor, value: Tensor) -> Tensor:
    """`added`, in place on PyTorch: nothing else may hold `x`."""
    if keras.backend.backend() == "torch":
        return x.scatter_add_(1, index.long()[:, None], value)
    return added(x, index, value)


def in_place(name: str, x: Tensor, *others: Tensor) -> Tensor:
    """The operation `name` on values that only their derivative may need.

    On PyTorch, the result reuses their memory if there is no derivative: a new
    matrix costs more than most operations.
    """
    if keras.backend.backend() == "torch" and not x.requires_grad:
        return getattr(x, f"{name}_")(*others)
    if name == "add":  # Keras on TensorFlow takes an empty matrix for a bias.
        return x + others[0]
    return getattr(plain_ops(), name)(x, *others)


def segment_sum(x: Tensor, index: Tensor, count: int) -> Tensor:
    """The sum of the (N,) values of each of `count` indices."""
    if keras.backend.backend() == "torch":
        return x.new_zeros(count).index_add(0, index.long(), x)
    return ops.segment_sum(x, index, count)


def where_above(x: Tensor, threshold: float, value: Tensor) -> Tensor:
    """`value` where x is above the threshold, and 0 elsewhere."""
    if keras.backend.backend() == "torch":
        # One pass; a condition and a choice by it take five times as long.
        aten = sys.modules["torch"].ops.aten
        return aten.threshold_backward(value, x.detach(), threshold)
    return ops.where(x > threshold, value, 0.0)


def largest(x: Tensor) -> Tensor:
    """Largest entry of each row, of shape (N, 1)."""
    if keras.backend.backend() == "torch":
        # PyTorch's `ops.max` rejects an empty batch, elsewhere `ops.amax` does.
        return ops.amax(x, axis=-1, keepdims=True)
    return ops.max(x, axis=-1, keepdims=True, initial=-math.inf)


def first_argmax(x: Tensor) -> Tensor:
    """Index of the largest entry of each row, the first of equal ones."""
    if keras.backend.backend() == "torch":
        return ops.argmax(x, axis=-1)
    # Two plain reductions, as XLA's argmax is slow on CPUs.
    last = ops.shape(x)[-1] - 1
    classes = ops.arange(last + 1, dtype="int32")
    here = x == largest(x)
    return ops.min(ops.where(here, classes, last), axis=-1, initial=last)


def margin(log_p: Tensor) -> Tensor:
    """Margin `log(p / (1 - p))` of a class over all others."""
    of = plain_ops()
    return log_p - of.log(at_least(-of.expm1(log_p), TINY))


def biased(log_p: Tensor, bias: float | Tensor) -> Tensor:
    """Log-probability of a class after a positive `bias` on its logit.

    This is exact where p is near 0 and near 1.
    """
    return ops.log_sigmoid(margin(log_p) + bias)


def complement(log_p: Tensor) -> Tensor:
    """`1 - p`, exact where p is near 1, never quite 0.

    A compiled log-softmax may be above 0 by its rounding.
    """
    return at_least(-expm1(log_p), TINY)


def passive(log_p: Tensor, scale: float) -> Tensor:
    """`scale * (1 - p)`; the scale matters in sums of losses."""
    return scale - scale * plain_ops().exp(log_p)


def with_derivative_of(other: Tensor, value: Tensor) -> Tensor:
    """`value`, with the derivative of `other` instead of its own."""
    if keras.backend.backend() == "torch":
        return value.detach() + (other - other.detach())
    return ops.stop_gradient(value) + (other - ops.stop_gradient(other))


def expm1(x: Tensor) -> Tensor:
    """`exp(x) - 1` with an exact derivative also where it is near -1.

    JAX and PyTorch derive `expm1` as its value plus 1, which rounds to 0.
    """
    of = plain_ops()
    return with_derivative_of(of.exp(x), of.expm1(x))


def log(x: float | Tensor) -> float | Tensor:
    """Logarithm of a hyperparameter, which is a tensor while it fades."""
    return math.log(x) if isinstance(x, float | int) else ops.log(x)


def number_of(classes: int | Tensor, dtype: str) -> int | Tensor:
    """The number of classes, which may be a tensor, for arithmetic."""
    return classes if isinstance(classes, int) else ops.cast(classes, dtype)


def cast(x: Tensor, dtype: str) -> Tensor:
    """`ops.cast` only where needed: it costs a tenth of a small loss."""
    same = keras.backend.standardize_dtype(x.dtype) == dtype
    return x if same else ops.cast(x, dtype)
