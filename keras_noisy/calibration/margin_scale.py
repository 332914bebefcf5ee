"""Margin scale that gives any number of classes the error of few."""

from __future__ import annotations

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy.calibration._rule import (
    NO_PRIOR,
    REFERENCE_CLASSES,
    NoMatch,
    bisected,
    error_of_few,
    uncalibrated,
)
from keras_noisy.calibration.average_error import checked_std, errors_at
from keras_noisy.calibration.fresh import Calibratable

#: Smallest margin scale in the search; a billion classes need 0.11.
SMALLEST_SCALE = 0.01


def matched_margin_scale(
    loss: Calibratable,
    num_classes: int,
    reference_classes: int = REFERENCE_CLASSES,
    logit_std: float = 1.0,
) -> float:
    """Margin scale that gives `num_classes` classes the error of a few.

    `margin_scale="auto"` computes this. Fewer `reference_classes` give a
    smaller scale, with which a network starts faster. A bias, clip or
    normalization of the loss has no effect here; a `logit_adjustment` does.

    Formula:

    ```
    <error>(margin_scale; num_classes) = <error>(1; reference_classes)
    ```

    with the `average_error` of the loss. Of several solutions, the one nearest
    to 1 is used; up to `reference_classes` it is 1. The scale falls about like
    `1 / log(num_classes)`.

    Args:
        loss: A `keras_noisy.losses.RobustLoss` of the true-class probability.
        num_classes: Number of classes, an integer of at least 2.
        reference_classes: Number of classes with which the loss is known to
            train without a scale. Defaults to `10`.
        logit_std: Standard deviation of a fresh network's logits. Defaults
            to `1.0`.

    Returns:
        The scale, a float in (0, 1].

    Raises:
        ValueError: If an argument is outside its range, if the loss needs the
            whole distribution, or if no scale gives the required error.

    Example:

    >>> from keras_noisy.calibration import matched_margin_scale
    >>> from keras_noisy.losses import MAE
    >>> round(matched_margin_scale(MAE(), 1000), 5)
    0.34607
    >>> matched_margin_scale(MAE(), 1000, reference_classes=5)
    0.227...

    References:
        - Staats, Thamm, Rosenow (the rule), Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
        - Ou, Zhang, A curriculum perspective of robust loss functions
          (rescaled margin), Preprint 2023, arXiv 2305.02139
    """
    num_classes = integer("num_classes", num_classes, 2)
    reference_classes = integer("reference_classes", reference_classes, 2)
    logit_std = checked_std(logit_std)
    few = uncalibrated(loss, reference_classes, **NO_PRIOR)
    if few.formula is None:
        raise invalid(
            "loss",
            loss,
            "a loss of the true-class probability alone, such as `MAE()`, as "
            "only these have a `margin_scale`",
        )
    if num_classes <= reference_classes:
        return 1.0
    target = error_of_few(few, reference_classes, logit_std)
    many = uncalibrated(loss, num_classes)

    def excess(scale: float) -> float:
        scaled = many._replace(margin_scale=float(scale))
        (error,) = errors_at(scaled, num_classes, np.zeros(1), logit_std)
        return abs(error) - abs(target)

    high = 1.0
    above = excess(high) >= 0
    for low in np.geomspace(1.0, SMALLEST_SCALE, 13)[1:]:
        if (excess(low) >= 0) != above:
            return bisected(excess, low, high, 1e-10)
        high = low
    raise NoMatch(
        f"No margin scale in [{SMALLEST_SCALE}, 1] gives {type(loss).__name__} "
        f"the average error {target:.4g} with {num_classes} classes, which it "
        f"has with {reference_classes}",
        "Try other `reference_classes`, or set `margin_scale` to a number",
    )
