"""A plot of the margins at which a loss sends back an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._plots import in_legend, matplotlib_figure
from keras_noisy.calibration._log_sum import log_sum
from keras_noisy.calibration.average_error import (
    checked_std,
    error_at_margin,
)
from keras_noisy.calibration.fresh import Calibratable
from keras_noisy.calibration.plot import labels_of


def plot_margin_error(
    losses: Mapping[str, Calibratable] | Sequence[Calibratable],
    num_classes: int = 1000,
    logit_std: float = 1.0,
    margins: np.ndarray | None = None,
) -> Any:
    """Plot the error that a loss sends to a label, by the label's margin.

    It shows what a calibration does after the start. Where its margin is above
    0, the label is the predicted class; where its margin is below
    `-log(num_classes)`, it is not. A bias moves the curve to the margins of a
    fresh network, so that little is left of it at 0; a scale widens the curve.
    Needs matplotlib: `pip install matplotlib`.

    Formula:

    ```
    margin = z_y - logsumexp(z_k for k != y)
    error = -(d loss / d z_y)
    ```

    Args:
        losses: Losses of the true-class probability to compare, or a mapping
            from label to loss.
        num_classes: Number of classes, an integer of at least 2. Defaults to
            `1000`.
        logit_std: Standard deviation of the logits of a fresh network, whose
            margins are shown below. Defaults to `1.0`.
        margins: Margins at which to draw the curves. Defaults to `None`, 161
            of them, from 5 below the mean of a fresh network to 10.

    Returns:
        A `matplotlib.figure.Figure`; save it with `savefig`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If an argument is outside its range, or if a loss needs
            more than the true-class probability.

    Example:

    >>> from keras_noisy.calibration import plot_margin_error
    >>> from keras_noisy.losses import MAEStar, ScaledMAE
    >>> figure = plot_margin_error([MAEStar(), ScaledMAE()])
    >>> len(figure.axes)
    2

    References:
        - Ou, Zhang, A curriculum perspective of robust loss functions (error
          by margin), Preprint 2023, arXiv 2305.02139
    """
    figure_class = matplotlib_figure("plot_margin_error")
    num_classes = integer("num_classes", num_classes, 2)
    sums, weights = log_sum(num_classes - 1, checked_std(logit_std))
    rng = np.random.default_rng(0)
    fresh = logit_std * rng.normal(size=20_000)
    fresh -= rng.choice(sums, size=fresh.size, p=weights / weights.sum())
    if margins is None:
        margins = np.linspace(fresh.mean() - 5, 10, 161)
    margins = np.asarray(margins, "float64")

    figure = figure_class(figsize=(8, 4.5), layout="constrained")
    curves, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for label, loss in labels_of(losses):
        found = loss.fresh(num_classes)
        if found.formula is None:
            expected = "losses of the true-class probability alone"
            raise invalid("losses", loss, expected)
        errors = error_at_margin(found, margins)
        curves.plot(margins, -errors, label=in_legend(label))
    curves.set_ylabel("error sent to the label")
    for axes in (curves, histogram):
        axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    figure.legend(loc="outside right upper", fontsize="small")
    histogram.hist(fresh, bins=60, density=True, color="0.7")
    histogram.set_ylabel("fresh\nnetwork")
    histogram.set_xlabel(
        "margin of the label (0: as much as all other classes)"
    )
    return figure
