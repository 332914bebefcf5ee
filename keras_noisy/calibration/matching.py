"""Hyperparameters that give any number of classes the error of few."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid, real
from keras_noisy.calibration._rule import (
    NO_PRIOR,
    NO_TRANSFORM,
    REFERENCE_CLASSES,
    NoMatch,
    bisected,
    error_of_few,
    first_bracket,
    uncalibrated,
)
from keras_noisy.calibration.average_error import checked_std, errors_at
from keras_noisy.calibration.fresh import Calibratable
from keras_noisy.calibration.margin_scale import matched_margin_scale


def matched_logit_bias(
    loss: Calibratable,
    num_classes: int,
    reference_classes: int = REFERENCE_CLASSES,
    logit_std: float = 1.0,
) -> float:
    """Logit bias that gives `num_classes` classes the error of a few.

    `logit_bias="auto"` computes this. A bias, clip or normalization of the loss
    has no effect here; a `logit_adjustment` does.

    Formula:

    ```
    <error>(logit_bias; num_classes) = <error>(0; reference_classes)
    ```

    with the `average_error` of the loss. Of two solutions, the one on the
    rising side is used; up to `reference_classes` it is 0. The bias grows like
    `log(num_classes / reference_classes)`.

    Args:
        loss: A `keras_noisy.losses.RobustLoss`.
        num_classes: Number of classes, an integer of at least 2.
        reference_classes: Number of classes with which the loss is known to
            train without a bias. Defaults to `10`.
        logit_std: Standard deviation of a fresh network's logits. Defaults
            to `1.0`.

    Returns:
        The bias, a float of at least 0.

    Raises:
        ValueError: If an argument is outside its range, or if no bias gives
            the required error.

    Example:

    >>> from keras_noisy.calibration import matched_logit_bias
    >>> from keras_noisy.losses import MAE
    >>> round(matched_logit_bias(MAE(), 1000), 6)
    4.842412

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    num_classes = integer("num_classes", num_classes, 2)
    reference_classes = integer("reference_classes", reference_classes, 2)
    logit_std = checked_std(logit_std)
    if num_classes <= reference_classes:
        return 0.0
    few = uncalibrated(loss, reference_classes, **NO_PRIOR)
    target = error_of_few(few, reference_classes, logit_std)
    many = uncalibrated(loss, num_classes)
    high = math.log(num_classes) + logit_std**2 + 10
    # More digits than sampling gives would only cost time.
    sampled = few.formula is None
    points, finer, tolerance = (25, 9, 1e-4) if sampled else (129, 33, 1e-10)

    def excess(bias: np.ndarray) -> np.ndarray:
        errors = errors_at(many, num_classes, bias, logit_std)
        return np.abs(errors) - abs(target)

    bracket = first_bracket(np.linspace(0.0, high, points), excess)
    if bracket is None:
        raise NoMatch(
            f"No logit bias in [0, {high:.1f}] gives {type(loss).__name__} the "
            f"average error {target:.4g} with {num_classes} classes, which it "
            f"has with {reference_classes}",
            "Try other `reference_classes`, or set `logit_bias` to a number",
        )
    while bracket[1] - bracket[0] > tolerance:
        grid = np.linspace(*bracket, finer)
        bracket = first_bracket(grid, excess) or bracket
    return float(np.mean(bracket))


#: Functions that compute the calibrations that every loss has.
MATCHED = {
    "logit_bias": matched_logit_bias,
    "margin_scale": matched_margin_scale,
}


def matched_hyperparameter(
    loss: Calibratable,
    name: str,
    num_classes: int,
    reference_classes: int = REFERENCE_CLASSES,
    logit_std: float = 1.0,
    bounds: tuple[float, float] = (1e-3, 1e3),
) -> float:
    """Value of a hyperparameter that gives many classes the error of a few.

    An `"auto"` hyperparameter computes this. The value that `loss` has counts
    as the one that is known to train with `reference_classes`. A clip or
    normalization of the loss has no effect here; a `logit_adjustment` does.

    Formula:

    ```
    <error>(0; num_classes, value) = <error>(0; reference_classes, loss)
    ```

    with the `average_error` of the loss. Of several solutions, the one nearest
    to the value that `loss` has is used.

    Args:
        loss: A `keras_noisy.losses.RobustLoss` with the reference value.
        name: Name of the hyperparameter, an argument of the loss, such as
            `"q"`.
        num_classes: Number of classes, an integer of at least 2.
        reference_classes: Number of classes with which `loss` is known to
            train. Defaults to `10`.
        logit_std: Standard deviation of a fresh network's logits. Defaults
            to `1.0`.
        bounds: Smallest and largest value to search, positive numbers;
            values that the loss does not accept are skipped. Defaults to
            `(0.001, 1000.0)`.

    Returns:
        The value, a float.

    Raises:
        ValueError: If an argument is outside its range, or if no value gives
            the required error.

    Example:

    >>> from keras_noisy.calibration import matched_hyperparameter
    >>> from keras_noisy.losses import GCE
    >>> round(matched_hyperparameter(GCE(q=0.7), "q", 100), 6)
    0.37875

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    num_classes = integer("num_classes", num_classes, 2)
    reference_classes = integer("reference_classes", reference_classes, 2)
    start: Any = getattr(loss, name, None)
    if isinstance(start, bool) or not isinstance(start, int | float):
        raise invalid(
            "name",
            name,
            f"a hyperparameter of {type(loss).__name__} that is a number",
        )
    low = real("bounds[0]", bounds[0], 0)
    high = real("bounds[1]", bounds[1], low)
    return _matched(
        loss,
        name,
        start,
        num_classes,
        checked_std(logit_std),
        reference_classes,
        (low, high),
    )


def _matched(
    loss: Calibratable,
    name: str,
    start: float,
    num_classes: int,
    logit_std: float,
    reference_classes: int = REFERENCE_CLASSES,
    bounds: tuple[float, float] = (1e-3, 1e3),
) -> float:
    plain = NO_TRANSFORM | NO_PRIOR
    few = loss.fresh(reference_classes, **{name: start}, **plain)
    target = error_of_few(few, reference_classes, logit_std)
    tolerance = 1e-4 if few.formula is None else 1e-10
    low, high = bounds

    def excess(value: float) -> float:
        changes = {name: float(value), **NO_TRANSFORM}
        try:
            many = loss.fresh(num_classes, **changes)
        except ValueError:  # Outside the range of this hyperparameter.
            return math.nan
        (error,) = errors_at(many, num_classes, np.zeros(1), logit_std)
        return abs(error) - abs(target)

    grid = np.geomspace(low, high, 61)
    values = np.array([excess(value) for value in grid])
    brackets = np.flatnonzero(values[:-1] * values[1:] <= 0)
    if len(brackets) == 0:
        raise NoMatch(
            f"No `{name}` in [{low:g}, {high:g}] gives {type(loss).__name__} "
            f"the average error {target:.4g} with {num_classes} classes, which "
            f"it has with {name}={start:g} and {reference_classes}",
            "Try other `bounds` or `reference_classes`, or a logit bias",
        )
    distances = np.abs(np.log(grid[brackets] / max(start, low)))
    chosen = brackets[np.argmin(distances)]
    return bisected(excess, grid[chosen], grid[chosen + 1], tolerance)


def automatic(
    loss: Calibratable, name: str, num_classes: int, logit_std: float = 1.0
) -> float:
    """The value of an `"auto"` argument, such as `logit_bias`."""
    try:
        if name in MATCHED:
            return MATCHED[name](loss, num_classes, logit_std=logit_std)
        reference = loss.references[name]
        if num_classes <= REFERENCE_CLASSES:
            # With few classes, a network starts to learn anyway.
            return reference
        return _matched(loss, name, reference, num_classes, logit_std)
    except NoMatch as error:
        what = {"logit_bias": "bias", "margin_scale": "scale"}.get(name, name)
        other = "add a passive loss with `ActivePassive`"
        if name not in MATCHED:
            other = '`logit_bias="auto"` instead'
        raise ValueError(
            f'{type(loss).__name__} has no "auto" {what}. {error.finding}. '
            f"Pass a number, or {other}"
        ) from error
