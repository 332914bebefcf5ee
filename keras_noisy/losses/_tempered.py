"""Logarithm and softmax of a temperature, exactly normalized."""

import sys
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses.base._class_sums import log_probabilities
from keras_noisy.losses.base._closed_form import closed_form
from keras_noisy.losses.base._math import (
    LOWEST,
    TINY,
    at_least,
    cast,
    compute_dtype,
    in_place,
    largest,
    number_of,
    plain_ops,
)

Tensor = Any

#: Above this, K ** t would overflow with a million classes.
HOTTEST = 5.0
#: If the sum of p is this near to 1, it is exact after one more step.
NEAR = 1e-3
#: If t is this near to 1, `1 + (1 - t) (z - c)` has too few digits of z.
NEAR_ONE = 0.01
MOST_STEPS = 16


def log_tempered(log_x: Tensor, t: float) -> Tensor:
    """`(x ** (1 - t) - 1) / (1 - t)`, which is `log(x)` at t = 1."""
    return log_x if t == 1 else plain_ops().expm1((1 - t) * log_x) / (1 - t)


class TemperedSoftmax:
    """Powers of `p = max(0, 1 + (1 - t) (z - c)) ** (1 / (1 - t))`.

    `c` makes p sum to 1 over each row of (N, K) logits. Every power of p is
    a power of the expression in brackets, at usual temperatures an integer
    power, which needs no logarithm.
    """

    def __init__(self, logits: Tensor, t: float):
        self.t = t
        self._log_p = log_probabilities(logits) if t == 1 else None
        if t == 1:
            return
        top = at_least(ops.stop_gradient(largest(logits)), LOWEST)
        x = at_least(logits - top, LOWEST)
        if abs(t - 1) < NEAR_ONE:
            self._log_p = _near_one(x, t)
            return
        x = in_place("multiply", x, 1 - t)
        shift = _with_derivative(x, _solved(ops.stop_gradient(x), t), t)
        self._base = x + shift
        if t > 1:  # The base is at least 1.
            self._inverse = 1 / self._base
        else:
            self._base = at_least(self._base, 0.0)

    def power(self, r: float) -> Tensor:
        """`p ** r` for r >= 0, which is 0 where p is 0."""
        if self._log_p is not None:
            return ops.exp(r * self._log_p)
        if self.t > 1:
            return _power(self._inverse, r / (self.t - 1))
        if r == 0:
            return cast(self._base > 0, self._base.dtype)
        return _power(self._base, r / (1 - self.t))

    def escort(self, p: Tensor) -> Tensor:
        """`p ** t`, from p."""
        if self._log_p is None and self.t > 1:
            return p * self._inverse
        return self.power(self.t)

    def log(self, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """`log(p)` of the entries that a function picks, finite at p = 0."""
        if self._log_p is not None:
            return pick(self._log_p)
        base = pick(self._base)
        if self.t < 1:
            base = at_least(base, TINY)
        return plain_ops().log(base) / (1 - self.t)


def _near_one(x: Tensor, t: float) -> Tensor:
    """`log(p)` for `x = z - max(z)`, by the distance of the base from 1."""
    of = plain_ops()

    def log_p(x: Tensor, distance: Tensor) -> Tensor:
        # For t < 1 the base of an unlikely class would not be above 0.
        excess = at_least((1 - t) * x + distance, 1e-6 - 1)
        return of.log1p(excess) / (1 - t)

    def step(x: Tensor, distance: Tensor) -> Tensor:
        log = log_p(x, distance)
        total = of.sum(of.exp(log), axis=-1, keepdims=True)
        slope = of.sum(of.exp(t * log), axis=-1, keepdims=True)
        return distance + total * of.expm1((t - 1) * of.log(total)) / slope

    constant = ops.stop_gradient(x)
    total = of.sum(of.exp(constant), axis=-1, keepdims=True)
    distance = (t - 1) * of.log(total)
    for _ in range(3):
        distance = step(constant, distance)
    distance = ops.stop_gradient(distance)
    for _ in range(2):  # the first and the second derivative
        distance = step(x, distance)
    return log_p(x, distance)


def _solved(x: Tensor, t: float) -> Tensor:
    """The (N, 1) shifts that turn `x = (1 - t) (z - max(z))` into the base.

    Newton's method solves for `sum(p) ** (1 - t)`, which is a norm of the base
    and so almost linear: it does not overshoot from the left, and it converges
    at once if all logits are equal.
    """
    of = plain_ops()

    def step(shift: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        base = x + shift
        if t > 1:
            inverse = in_place("reciprocal", base)
            p = _power(inverse, 1 / (t - 1))
            slope = p * inverse
        else:
            base = at_least(base, TINY)
            p = _power(base, 1 / (1 - t))
            slope = p / base
        total = of.sum(p, axis=-1, keepdims=True)
        slope = of.sum(slope, axis=-1, keepdims=True)
        error = of.log(total)
        shift = shift + total * of.expm1((t - 1) * error) / slope
        if t > 1:  # A guess may have been too far to the right.
            shift = at_least(shift, 1.0)
        return shift, error

    shift = _guess(x, t)
    state = shift, of.ones_like(shift)
    if keras.backend.backend() != "torch":
        return ops.while_loop(
            lambda _, error: ops.any(ops.abs(error) > NEAR),
            step,
            state,
            maximum_iterations=MOST_STEPS,
        )[0]
    for _ in range(_steps(t)):
        state = step(*state)
        if _is_small(state[1]):
            break
    return state[0]


def _guess(x: Tensor, t: float) -> Tensor:
    """The first shift: right to second order for t > 1, otherwise 1."""
    of = plain_ops()
    if t < 1:
        return of.ones_like(x[:, :1])
    num_classes = number_of(ops.shape(x)[-1], x.dtype)
    highest = num_classes ** (t - 1)
    mean = of.mean(x, axis=-1, keepdims=True)
    square = of.mean(x * x, axis=-1, keepdims=True)
    spread = (2 * t / (t - 1)) * (square - mean * mean)
    guess = (highest + of.sqrt(highest**2 + spread)) / 2 - mean
    # The comparison is False for NaN.
    return of.clip(of.where(guess > 1, guess, 1.0), 1.0, highest)


def _is_small(error: Tensor) -> bool:
    """Whether no row needs another step, if Python can tell at no cost."""
    torch: Any = sys.modules["torch"]
    if torch.compiler.is_compiling() or error.device.type != "cpu":
        return False
    try:
        return not bool((error.abs() > NEAR).any())
    except RuntimeError:  # `torch.vmap` has one answer for each sample.
        return False


def _steps(t: float) -> int:
    """The steps that float32 needs for up to a million classes."""
    if t > 1.25:
        return 8
    return 5 if t >= 0.8 else MOST_STEPS


def _with_derivative(x: Tensor, shift: Tensor, t: float) -> Tensor:
    """The solved shift as a function of x that keeps the sum of p at 1."""

    def forward(x: Tensor, shift: Tensor) -> tuple:
        return (shift[:, 0],), ()

    def backward(x: Tensor, kept: Any, upstream: Any, shift: Tensor) -> Tensor:
        # The shift in the derivative has a derivative itself.
        base = x + _with_derivative(x, shift, t)
        escort = _power(base if t > 1 else at_least(base, 0.0), t / (1 - t))
        share = upstream[0] / ops.sum(escort, axis=-1)
        return in_place("multiply", escort, -share[:, None])

    return closed_form(forward, backward, x, shift)[0][:, None]


def _power(x: Tensor, r: float) -> Tensor:
    """`x ** r`, by multiplication if r is a whole number."""
    whole = round(r)
    if whole == 0 or abs(r - whole) > 1e-9 or abs(whole) > 16:
        return x**r
    result: Any = None
    square, left = x, abs(whole)
    while left > 1:
        if left % 2:
            result = square if result is None else result * square
        square, left = square * square, left // 2
    if result is not None:
        square = in_place("multiply", square, result)
    return square if whole > 0 else 1 / square


def tempered_softmax(logits: Tensor, t: float) -> Tensor:
    """Probabilities of logits at a temperature, for use with `BiTempered`.

    Use it to predict with a network that was trained with `BiTempered(t2=t)`.
    At `t > 1` its tails are heavier than those of a softmax; at `t < 1`
    unlikely classes have probability 0.

    Formula:

    ```
    p_k = max(0, 1 + (1 - t) * (z_k - c)) ** (1 / (1 - t))
    ```

    with `c` such that they sum to 1; at `t = 1` it is the softmax.

    Args:
        logits: Tensor of shape `(..., num_classes)`.
        t: Temperature, a number in (0, 5].

    Returns:
        Tensor of probabilities in the shape of `logits`.

    Raises:
        ValueError: If `t` is outside its range.

    Example:

    >>> from keras_noisy.losses import tempered_softmax
    >>> float(tempered_softmax([[0.0, 0.0, 3.0]], t=2.0)[0, 2])
    0.577...

    References:
        - Amid et al., Robust bi-tempered logistic loss based on Bregman
          divergences, NeurIPS 2019, arXiv 1906.03361
    """
    t = real("t", t, 0, HOTTEST, closed="high")
    logits = ops.convert_to_tensor(logits)
    shape = ops.shape(logits)
    dtype = compute_dtype(keras.backend.standardize_dtype(logits.dtype))
    rows = ops.reshape(cast(logits, dtype), (-1, shape[-1]))
    return ops.reshape(TemperedSoftmax(rows, t).power(1.0), shape)
