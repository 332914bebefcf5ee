"""Kernel matrices of a batch, accurate even if they are nearly singular.

Operators replace `ops.matmul`, `ops.maximum` and `ops.mean`, which compute in
float32 on PyTorch.
"""

from __future__ import annotations

import contextlib
import math
import sys
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real

Tensor = Any

#: The ridge of the normalized criterion, per sample.
RIDGE = 1e-5
#: The smallest bandwidth that `sigma=None` chooses.
LEAST_BANDWIDTH = 0.01


def bandwidth(sigma: Any) -> float | None:
    """`sigma` as a positive number, or None."""
    if sigma is None:
        return None
    return real("sigma", sigma, 0, alternative=", or None")


def precise() -> contextlib.AbstractContextManager:
    """Products in full precision on JAX, whose accelerators round them."""
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    return sys.modules["jax"].default_matmul_precision("highest")


def working_dtype(x: Tensor) -> str:
    """float64 if the backend and the device of `x` have it, else float32."""
    backend = keras.backend.backend()
    if backend == "jax":
        wide = sys.modules["jax"].config.jax_enable_x64
        return "float64" if wide else "float32"
    if backend == "torch" and x.device.type == "mps":
        return "float32"
    return "float64"


def rows(name: str, x: Any) -> Tensor:
    """A batch as a matrix with a row for each sample."""
    x = ops.convert_to_tensor(x)
    if len(x.shape) == 0:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a batch, whose "
            "first axis holds the samples. Received: a single number"
        )
    x = ops.cast(x, working_dtype(x))
    return ops.reshape(x, (-1, math.prod(ops.shape(x)[1:])))


def mean(x: Tensor, axis: Any = None) -> Tensor:
    """Mean over axes, which are kept."""
    whole = ops.sum(x, axis=axis, keepdims=True)
    count = ops.size(x) / ops.size(whole)
    return whole / ops.cast(count, x.dtype)


def exponents(x: Tensor, sigma: float | None) -> Tensor:
    """`t` of the kernel `exp(-t)` between the rows of a matrix."""
    # Subtracting the mean keeps the distances and loses fewer digits.
    x = x - mean(x, axis=0)
    with precise():
        products = x @ ops.transpose(x)
    norms = ops.sum(ops.square(x), axis=1)
    squares = norms[:, None] + norms[None, :] - 2 * products
    size = ops.shape(x)[0]
    off = 1 - ops.eye(size, dtype=x.dtype)
    squares = _at_least(squares, 0) * off
    if sigma is None:
        median = ops.stop_gradient(_median(squares, size))
        return squares / (2 * median**2)
    return squares / (2 * sigma**2 * ops.cast(ops.shape(x)[1], x.dtype))


def _median(squares: Tensor, size: Any) -> Tensor:
    """Median of the squared distances of a batch stacked on itself.

    In the stack, each pair occurs four times and each sample has a copy at
    distance 0; in `squares`, each pair occurs twice.
    """
    in_order = ops.sort(ops.reshape(squares, (-1,)))
    # The stack has an even number of distances if the batch size is even.
    highest = 2 * size * size - size - 1
    middle = [highest // 2, highest - highest // 2]
    found = [in_order[size + 2 * ((place - size) // 4)] for place in middle]
    return _at_least(sum(found) / 2, LEAST_BANDWIDTH)


def _at_least(x: Tensor, low: float) -> Tensor:
    """The larger of two numbers, or NaN."""
    return ops.where(x < low, low * ops.ones_like(x), x)


def centered_kernel(x: Tensor, sigma: float | None) -> Tensor:
    """`H K H` of the rows of a matrix.

    Centering removes the constant 1 in the kernel of near samples. Without it,
    the small rest keeps its digits.
    """
    kernel = ops.expm1(-exponents(x, sigma))
    kernel = kernel - mean(kernel, axis=0)
    return kernel - mean(kernel, axis=1)


def inverse(matrix: Tensor) -> Tensor:
    """Inverse of positive definite matrices of shape (..., m, m)."""
    lower = ops.cholesky(matrix)
    identity = ops.eye(ops.shape(matrix)[-1], dtype=matrix.dtype)
    factor = ops.solve_triangular(
        lower, ops.broadcast_to(identity, ops.shape(matrix)), lower=True
    )
    with precise():
        return ops.swapaxes(factor, -1, -2) @ factor


def ridge_of(centered: Tensor) -> tuple[Tensor, Tensor]:
    """`I` and `c` of centered kernels of shape (..., m, m)."""
    size = ops.shape(centered)[-1]
    identity = ops.eye(size, dtype=centered.dtype)
    return identity, RIDGE * ops.cast(size, centered.dtype)


def ratio(centered: Tensor) -> Tensor:
    """`S (S + c I)^-1` of centered kernels of shape (..., m, m)."""
    identity, ridge = ridge_of(centered)
    return identity - ridge * inverse(centered + ridge * identity)


def only_finite(x: Tensor) -> tuple[Tensor, Tensor]:
    """The tensor, or zeros if it is not finite, and whether it is finite.

    A Cholesky decomposition of NaN raises an error on one backend and returns
    NaN on another.
    """
    is_finite = ops.all(ops.isfinite(x))
    return ops.where(is_finite, x, ops.zeros_like(x)), is_finite


def or_nan(value: Tensor, is_finite: Tensor) -> Tensor:
    """The value, or NaN without a gradient."""
    nan = float("nan") * ops.ones_like(value)
    return ops.where(is_finite, value, nan)
