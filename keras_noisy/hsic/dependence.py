"""The Hilbert-Schmidt independence criterion, plain and normalized."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_noisy._arguments import boolean
from keras_noisy.hsic.kernel import result_dtype
from keras_noisy.hsic.matrices import (
    bandwidth,
    centered_kernel,
    mean,
    only_finite,
    or_nan,
    ratio,
    rows,
)

Tensor = Any


def hsic(
    a: Any, b: Any, sigma: float | None = 5.0, cosine: bool = False
) -> Tensor:
    """How much two batches depend on each other, 0 if not at all.

    It is the squared norm of the covariance of all functions of `a` and `b` in
    the space of the Gaussian kernel. It is differentiable, so you can use it as
    a penalty in a layer of your own. With few samples, even independent batches
    have a value above 0.

    Formula:

    ```
    hsic = mean_ij (H K_a H)[i, j] * (H K_b H)[i, j]
    cosine = hsic(a, b) / sqrt(hsic(a, a) * hsic(b, b))
    ```

    where `K` is the `gaussian_kernel` of a batch and `H` subtracts means over
    rows and columns.

    Args:
        a: Batch of shape `(m, ...)`; all axes after the first are features.
        b: Batch with as many samples, and with any features.
        sigma: Bandwidth of both kernels, a positive number, or `None` to
            compute one from each batch. Defaults to `5.0`.
        cosine: Whether to normalize by the value of each batch with itself, so
            that the result is at most 1 (and 0 if a batch has no variation).
            Defaults to `False`.

    Returns:
        A scalar, float64 if a batch is and float32 otherwise. It is computed
        in float64, on JAX only in x64 mode.

    Raises:
        ValueError: If `sigma` is not positive, or the batches have different
            numbers of samples.

    Example:

    >>> from keras_noisy.hsic import hsic
    >>> a = [[0.0], [0.0], [1.0], [1.0]]
    >>> round(float(hsic(a, [[0.0], [1.0], [0.0], [1.0]], cosine=True)), 4)
    0.0
    >>> round(float(hsic(a, [[3.0], [3.0], [0.0], [0.0]], cosine=True)), 4)
    1.0

    References:
        - Gretton et al., Measuring statistical dependence with
          Hilbert-Schmidt norms, ALT 2005
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """
    cosine = boolean("cosine", cosine)
    left, right = _centered(a, b, sigma)
    value = _mean(left * right)
    if cosine:
        # A batch without variation has 0 everywhere.
        own = _mean(left * left) * _mean(right * right)
        varies = own > 0
        value = ops.where(
            varies, value / ops.sqrt(ops.where(varies, own, 1)), 0 * own
        )
    return ops.cast(value, result_dtype(a, b))


def normalized_hsic(a: Any, b: Any, sigma: float | None = 5.0) -> Tensor:
    """How many independent features two batches share.

    The kernels are divided by themselves, so features of small and of large
    variance count alike. The result is about the number of features of one
    batch that the other determines. Use it if values must be comparable, such
    as between layers. It is differentiable.

    Formula:

    ```
    R = S (S + 1e-5 m I)**-1  with  S = H K H
    normalized_hsic = sum_ij R_a[i, j] * R_b[i, j]
    ```

    where `K` is the `gaussian_kernel` of a batch of `m` samples and `H`
    subtracts means over rows and columns.

    Args:
        a: Batch of shape `(m, ...)`; all axes after the first are features.
        b: Batch with as many samples, and with any features.
        sigma: Bandwidth of both kernels, a positive number, or `None` to
            compute one from each batch. Defaults to `5.0`.

    Returns:
        A scalar from 0 to `m - 1`, float64 if a batch is and float32
        otherwise. It is NaN if a batch has NaN. Matrices are inverted in
        float64, on JAX only in x64 mode; in float32 the value is accurate to
        about 1e-3.

    Raises:
        ValueError: If `sigma` is not positive, or the batches have different
            numbers of samples.

    Example:

    >>> from keras_noisy.hsic import normalized_hsic
    >>> a = [[0.0], [0.0], [1.0], [1.0]]
    >>> round(float(normalized_hsic(a, [[1.0], [1.0], [3.0], [3.0]])), 3)
    0.999
    >>> round(float(normalized_hsic(a, [[0.0], [1.0], [0.0], [1.0]])), 3)
    0.0

    References:
        - Fukumizu, Gretton, Sun, Schölkopf, Kernel measures of conditional
          dependence, NIPS 2007
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """
    centered, is_finite = only_finite(ops.stack(_centered(a, b, sigma)))
    ratios = ratio(centered)
    value = ops.sum(ratios[0] * ratios[1])
    return ops.cast(or_nan(value, is_finite), result_dtype(a, b))


def _mean(x: Tensor) -> Tensor:
    return ops.squeeze(mean(x))


def _centered(a: Any, b: Any, sigma: float | None) -> list[Tensor]:
    sigma = bandwidth(sigma)
    left, right = rows("a", a), rows("b", b)
    sizes = left.shape[0], right.shape[0]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(
            "Expected as many samples in `b` as in `a`. Received: "
            f"{sizes[0]} in `a` and {sizes[1]} in `b`. The first axis holds "
            "the samples; all others are flattened"
        )
    return [centered_kernel(left, sigma), centered_kernel(right, sigma)]
