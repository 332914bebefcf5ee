"""The error that a fresh network receives, averaged over its logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid, real
from keras_noisy.calibration._gradient import gradient
from keras_noisy.calibration._log_sum import (
    adjusted_log_sum,
    labels_of,
    log_sum,
)
from keras_noisy.calibration._moments import moment
from keras_noisy.calibration._scaled_moments import scaled_moment
from keras_noisy.calibration.fresh import Calibratable, Fresh

#: Logits drawn per value of z if the error must be sampled.
SAMPLED_LOGITS = 2**18


def average_error(
    loss: Calibratable,
    num_classes: int,
    z: float | np.ndarray = 0.0,
    logit_std: float = 1.0,
) -> float | np.ndarray:
    """Average error that a loss sends back to the neuron of the true class.

    A network does not learn where it is near zero. Plot it against `z` to see
    at which logits a loss learns, or compare losses and numbers of classes at
    `z = 0`, the middle of a fresh network's logits.

    Formula:

    ```
    E[d loss / d z_k | z_k = z],  z_j ~ N(0, logit_std ** 2) for j != k
    ```

    for the true class `k`. With a margin scale `c`, a loss `l(p)` becomes
    `l(sigmoid(c * margin)) / c`, so its error is the error of `l` at the scaled
    margin. The result is exact to 1e-9 for losses that name the powers of `p`
    in their error (`CrossEntropy`, `MAE`, `GCE`), and within 1e-3 for other
    losses of the true-class probability up to a `logit_std` of 3. For losses of
    the whole distribution, and with `logit_clip` or `logit_normalization`,
    logits are sampled with a fixed seed: the result is within 1e-2 at a
    `logit_std` of 1, and each value of `z` takes some hundredths of a second.
    With `logit_adjustment`, `num_classes` must be its number of classes, and
    the error is the mean over labels with its shares.

    Args:
        loss: A `keras_noisy.losses.RobustLoss`, with its logit bias or margin
            scale, a number or `"auto"`.
        num_classes: Number of classes, an integer of at least 2.
        z: Logit of the true class, a number or an array, in [-100, 100].
            Defaults to `0.0`.
        logit_std: Standard deviation of the logits, a number in [0, 10].
            Defaults to `1.0`.

    Returns:
        A float, or an array in the shape of `z`; negative where the loss
        raises the true logit.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.calibration import average_error
    >>> from keras_noisy.losses import MAE, MAEStar
    >>> round(average_error(MAE(), 10), 7)
    -0.1328881
    >>> round(average_error(MAE(), 1000), 7)  # almost nothing
    -0.0012...
    >>> round(average_error(MAEStar(), 1000), 7)
    -0.1328881

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    num_classes = integer("num_classes", num_classes, 2)
    logit_std = checked_std(logit_std)
    points = np.asarray(z, "float64")
    if not np.all(np.abs(points) <= 100):
        raise invalid("z", z, "numbers in [-100, 100]")
    fresh = as_calibratable(loss).fresh(num_classes)
    errors = errors_at(fresh, num_classes, points.ravel(), logit_std)
    return (
        float(errors[0]) if points.ndim == 0 else errors.reshape(points.shape)
    )


def checked_std(logit_std: float) -> float:
    """The standard deviation of logits, if it is in the allowed range."""
    return real("logit_std", logit_std, 0, 10, closed="low high")


def as_calibratable(loss: Calibratable) -> Calibratable:
    """The loss, if it is one that can be calibrated."""
    if not hasattr(loss, "fresh") or isinstance(loss, type):
        raise invalid("loss", loss, "a loss of keras_noisy, such as `MAE()`")
    return loss


def errors_at(
    fresh: Fresh, num_classes: int, z: np.ndarray, logit_std: float
) -> np.ndarray:
    """Average errors at true logits of shape (N,)."""
    if fresh.formula is None:
        method = _sampled
    elif fresh.powers is None:
        method = _integrated
    else:
        method = _from_moments
    return method(fresh, num_classes, z, logit_std)


def _from_moments(
    fresh: Any, num_classes: int, z: np.ndarray, logit_std: float
) -> np.ndarray:
    scale, biased = fresh.margin_scale, z + fresh.logit_bias

    def of(power: float) -> np.ndarray:
        if scale != 1:
            return scaled_moment(power, num_classes, z, logit_std, scale)
        return moment(power, num_classes, biased, logit_std)

    return sum(factor * of(power) for power, factor in fresh.powers.items())


def _integrated(
    fresh: Any, num_classes: int, z: np.ndarray, logit_std: float
) -> np.ndarray:
    if fresh.shift is None:
        others, weights = log_sum(num_classes - 1, logit_std)
    else:
        others, weights = adjusted_log_sum(fresh.shares, fresh.shift, logit_std)
    return error_at_margin(fresh, z[:, None] - others) @ weights


def error_at_margin(fresh: Any, margin: np.ndarray) -> np.ndarray:
    """Error sent to a label with margin `z_y - logsumexp(z_k, k != y)`."""
    margin = fresh.margin_scale * (margin + fresh.logit_bias)
    log_p = -np.logaddexp(0.0, -margin)
    slope = gradient(fresh.formula, log_p.astype("float32"))
    return slope * -np.expm1(log_p)


def _sampled(
    fresh: Any, num_classes: int, z: np.ndarray, logit_std: float
) -> np.ndarray:
    views = fresh.view_axes
    rows = max(4, SAMPLED_LOGITS // (num_classes * math.prod(views)))
    logits = np.random.default_rng(0).standard_normal(
        (rows, *views, num_classes), dtype="float32"
    )
    logits *= logit_std
    labels = np.zeros(rows, "int32")
    if fresh.shares is not None:
        labels = labels_of(fresh.shares, rows)
    each = np.arange(rows)
    errors = []
    for value in z:
        logits[each, ..., labels] = value
        slopes = gradient(lambda x: ops.sum(fresh.values(labels, x)), logits)
        error = slopes[each, ..., labels].sum(dtype="float64") / rows
        errors.append(error)
    return np.array(errors)
