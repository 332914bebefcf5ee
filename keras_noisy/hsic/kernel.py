"""The Gaussian kernel of a batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy.hsic.matrices import bandwidth, exponents, rows

Tensor = Any


def result_dtype(*tensors: Any) -> str:
    """The dtype of a result from these tensors: float32 or float64."""
    dtypes = [
        keras.backend.standardize_dtype(ops.convert_to_tensor(x).dtype)
        for x in tensors
    ]
    return "float64" if "float64" in dtypes else "float32"


def gaussian_kernel(x: Any, sigma: float | None = 5.0) -> Tensor:
    """Gaussian kernel between the samples of a batch.

    It says how similar two samples are, from 0 to 1. The squared distance is
    divided by the number of features, so one `sigma` fits tensors of different
    widths.

    Formula:

    ```
    K[i, j] = exp(-|x_i - x_j|**2 / (2 * sigma**2 * d))
    K[i, j] = exp(-|x_i - x_j|**2 / (2 * s**2))            # sigma=None
    ```

    where `d` is the number of features of a sample, and `s` the median of the
    squared distances (not of the distances) of the batch stacked on itself, at
    least 0.01. As in the authors' code, no gradient flows through `s`.

    Args:
        x: Batch of shape `(m, ...)`; all axes after the first are features.
        sigma: Bandwidth in the units of `x`, a positive number, or `None` to
            compute one from the batch. Defaults to `5.0`.

    Returns:
        A symmetric tensor of shape `(m, m)`, float64 for float64 and float32
        for all others.

    Raises:
        ValueError: If `sigma` is not positive, or `x` is a single number.

    Example:

    >>> from keras_noisy.hsic import gaussian_kernel
    >>> kernel = gaussian_kernel([[0.0, 0.0], [1.0, 1.0]], sigma=1.0)
    >>> [round(float(value), 4) for value in kernel[0]]
    [1.0, 0.6065]

    References:
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """
    kernel = ops.exp(-exponents(rows("x", x), bandwidth(sigma)))
    return ops.cast(kernel, result_dtype(x))
