"""The error that a fresh network receives, averaged over its logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid, real
from keras_noisy.calibration._gradient import gradient
from keras_noisy.calibration._log_sum import log_sum
from keras_noisy.calibration._moments import moment

if TYPE_CHECKING:
    from keras_noisy.losses import RobustLoss

#: Logits drawn per value of z where only sampling helps.
SAMPLED_LOGITS = 2**18


def average_error(
    loss: RobustLoss,
    num_classes: int,
    z: float | np.ndarray = 0.0,
    logit_std: float = 1.0,
) -> float | np.ndarray:
    """Average error that a loss sends back to the neuron of the true class.

    Where it is near zero a network does not learn. Plot it against `z` to see
    from which logits a loss starts, or compare losses and class counts at
    `z = 0`, the middle of a fresh network's logits.

    Formula:

    ```
    E[d loss / d z_k | z_k = z],  z_j ~ N(0, logit_std ** 2) for j != k
    ```

    for the true class `k`. It is exact to 1e-9 for losses that name the
    powers of `p` in their error (`CrossEntropy`, `MAE`, `GCE`), and within
    1e-3 for other losses of the true-class probability up to a `logit_std` of
    3. For losses of the whole distribution, and with a `logit_clip` or
    `logit_normalization`, logits are sampled with a fixed seed: within 1e-2
    at a `logit_std` of 1, where a single value of `z` takes some hundredths
    of a second.

    Args:
        loss: A `keras_noisy.losses.RobustLoss`; its logit bias, number or
            `"auto"`, takes part.
        num_classes: Number of classes, an integer of at least 2.
        z: Logit of the true class, a number or an array. Defaults to `0.0`.
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
    errors = errors_at(loss, num_classes, points.ravel(), logit_std)
    return (
        float(errors[0]) if points.ndim == 0 else errors.reshape(points.shape)
    )


def checked_std(logit_std: float) -> float:
    """The standard deviation of logits, if errors can be computed for it."""
    return real("logit_std", logit_std, 0, 10, closed="low high")


def errors_at(
    loss: RobustLoss, num_classes: int, z: np.ndarray, logit_std: float
) -> np.ndarray:
    """Average errors at true logits of shape (N,)."""
    loss = rebuilt(loss, num_classes=num_classes).at_start(num_classes)
    return _method(loss)(loss, num_classes, z, logit_std)


def rebuilt(loss: RobustLoss, **changes) -> RobustLoss:
    """A copy of `loss` with some arguments changed."""
    if not hasattr(loss, "automatic_arguments") or isinstance(loss, type):
        raise invalid("loss", loss, "a loss of keras_noisy, such as `MAE()`")
    # Nothing has faded in a fresh network.
    config = {**loss.get_config(), "fade": None, "fade_key": None}
    return type(loss).from_config({**config, **changes})


def is_sampled(loss: RobustLoss) -> bool:
    """Whether the error of this loss is only had by sampling."""
    transformed = loss.logit_clip or loss.logit_normalization
    return bool(transformed) or not loss.has_formula


def _method(loss: RobustLoss):
    if is_sampled(loss):
        return _sampled
    if _names_powers(type(loss)) and loss.error_powers() is not None:
        return _from_moments
    return _integrated


def _names_powers(loss_class: type) -> bool:
    # Powers inherited by a class with a formula of its own are not its own.
    for base in loss_class.__mro__:
        if "error_powers" in vars(base):
            return True
        if "formula" in vars(base):
            return False
    return False


def _from_moments(loss, num_classes, z, logit_std):
    z = z + (loss.logit_bias or 0.0)
    return sum(
        coefficient * moment(power, num_classes, z, logit_std)
        for power, coefficient in loss.error_powers().items()
    )


def _integrated(loss, num_classes, z, logit_std):
    others, weights = log_sum(num_classes - 1, logit_std)
    margin = z[:, None] + (loss.logit_bias or 0.0) - others
    log_p = -np.logaddexp(0.0, -margin)
    slope = gradient(loss.formula, log_p.astype("float32"))
    return (slope * -np.expm1(log_p)) @ weights


def _sampled(loss, num_classes, z, logit_std):
    loss = rebuilt(loss, from_logits=True, reduction=None, ignore_class=None)
    views = loss.sample_axes
    rows = max(4, SAMPLED_LOGITS // (num_classes * math.prod(views)))
    logits = np.random.default_rng(0).standard_normal(
        (rows, *views, num_classes), dtype="float32"
    )
    logits *= logit_std
    labels = np.zeros(rows, "int32")
    errors = []
    for value in z:
        logits[..., 0] = value
        slopes = gradient(lambda x: ops.sum(loss.call(labels, x)), logits)
        errors.append(slopes[..., 0].sum(dtype="float64") / rows)
    return np.array(errors)
