"""Logarithm and softmax of a temperature, exactly normalized."""

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses.base._math import TINY, cast, compute_dtype, largest

Tensor = Any

#: Above, K ** t would overflow where there are a million classes.
HOTTEST = 5.0


def log_tempered(log_x: Tensor, t: float) -> Tensor:
    """`(x ** (1 - t) - 1) / (1 - t)`, which is `log(x)` at t = 1."""
    return log_x if t == 1 else ops.expm1((1 - t) * log_x) / (1 - t)


class TemperedSoftmax:
    """Powers of `p = max(0, 1 + (1 - t) (z - c)) ** (1 / (1 - t))`.

    `c` is such that p sums to 1 over each row of (N, K) logits. Every power
    of p is one of the expression in brackets, and at usual temperatures a
    whole one, which needs no logarithm. No gradient is carried.
    """

    def __init__(self, logits: Tensor, t: float):
        self.t = t
        logits = ops.stop_gradient(logits)
        if t == 1:
            self._log_p = ops.log_softmax(logits, axis=-1)
            return
        logits = logits - largest(logits)
        shift = ops.zeros_like(logits[:, :1])
        for _ in range(_steps(t)):
            # Newton's method on sum ** (1 - t): from the left it does not
            # overshoot, and it ends at once where all logits are equal.
            base = ops.maximum(1 + (1 - t) * (logits - shift), TINY)
            p = _power(base, 1 / (1 - t))
            log_total = ops.log(ops.sum(p, axis=-1, keepdims=True))
            slope = ops.sum(p / base, axis=-1, keepdims=True)
            rise = ops.exp(t * log_total) * log_tempered(log_total, t)
            shift = shift + rise / slope
        self._base = ops.maximum(1 + (1 - t) * (logits - shift), 0.0)

    def power(self, r: float) -> Tensor:
        """`p ** r` for r >= 0, which is 0 where p is."""
        if self.t == 1:
            return ops.exp(r * self._log_p)
        if r == 0:
            return cast(self._base > 0, self._base.dtype)
        return _power(self._base, r / (1 - self.t))

    def log_tempered(self, labels: Any, t: float) -> Tensor:
        """Mean over the labels of the tempered logarithm of p."""
        if self.t == 1:
            return labels.mean_of(lambda x: log_tempered(x, t), self._log_p)

        def of_base(base: Tensor) -> Tensor:
            return log_tempered(ops.log(base) / (1 - self.t), t)

        return labels.mean_of(of_base, self._base)


def _power(x: Tensor, r: float) -> Tensor:
    """`x ** r`, by multiplication where r is a whole number."""
    whole = round(r)
    if whole == 0 or abs(r - whole) > 1e-9 or abs(whole) > 16:
        return x**r
    result: Any = None
    square, left = x, abs(whole)
    while left:
        if left % 2:
            result = square if result is None else result * square
        square, left = square * square, left // 2
    return result if whole > 0 else 1 / result


def _steps(t: float) -> int:
    # As many as float32 needs at up to a million classes and any logits: a
    # condition on the sum would stop the step from being compiled as one.
    return 5 if 0.8 <= t <= 1.25 else 16


def tempered_softmax(logits: Tensor, t: float) -> Tensor:
    """Probabilities of logits at a temperature, for use with `BiTempered`.

    Predict with it where a network was trained with `BiTempered(t2=t)`. At
    `t > 1` its tails are heavier than those of a softmax; at `t < 1`
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
