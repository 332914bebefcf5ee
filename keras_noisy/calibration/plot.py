"""A plot of the logits at which a loss sends back an error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._plots import in_legend, matplotlib_figure, wrapped
from keras_noisy.calibration.average_error import (
    as_calibratable,
    average_error,
    checked_std,
)
from keras_noisy.calibration.fresh import Calibratable

#: Arguments of every loss that change the curve.
TRANSFORMS = (
    "logit_bias",
    "margin_scale",
    "logit_clip",
    "logit_normalization",
    "logit_adjustment",
)


def plot_average_error(
    losses: Mapping[str, Calibratable] | Sequence[Calibratable],
    num_classes: Sequence[int] = (10, 100, 1000),
    logits: np.ndarray | None = None,
    logit_std: float = 1.0,
    z: np.ndarray | None = None,
) -> Any:
    """Plot the average error by true logit, above a histogram of the logits.

    A loss learns where both its curve and the histogram below are above zero.
    A dot marks the value at logit 0, the middle of the logits of a fresh
    network. Needs matplotlib: `pip install matplotlib`.

    Args:
        losses: Losses to compare, or a mapping from label to loss. Without a
            mapping, the label is the name that you gave the loss, or its code,
            such as `GCE(q=0.7)`.
        num_classes: Numbers of classes, one line style each. Defaults to
            `(10, 100, 1000)`.
        logits: Logits of a fresh network for the histogram. Defaults to
            `None`, the normal density of standard deviation `logit_std`.
        logit_std: Standard deviation of the logits. Defaults to `1.0`.
        z: Logits at which to draw the curves. Defaults to `None`, 121 of
            them from -4 to 12.

    Returns:
        A `matplotlib.figure.Figure`; save it with `savefig`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.calibration import plot_average_error
    >>> from keras_noisy.losses import MAE, MAEStar
    >>> figure = plot_average_error({"MAE": MAE(), "MAE*": MAEStar()})
    >>> len(figure.axes)
    2

    References:
        - Staats, Thamm, Rosenow (Figures 1 and 2), AAAI 2025,
          arXiv 2306.05497
    """
    figure_class = matplotlib_figure("plot_average_error")
    labeled = labels_of(losses)
    if not isinstance(num_classes, Iterable):
        raise invalid("num_classes", num_classes, "a list of numbers")
    num_classes = list(num_classes)  # Each loss reads it again.
    logit_std = checked_std(logit_std)
    z = np.linspace(-4.0, 12.0, 121) if z is None else np.asarray(z)

    figure = figure_class(figsize=(9, 5), layout="constrained")
    curves, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    styles = ("-", "--", ":", "-.")
    for i, (label, loss) in enumerate(labeled):
        for j, count in enumerate(num_classes):
            points = np.append(z, 0.0)
            errors: Any = average_error(loss, count, points, logit_std)
            curves.plot(
                z,
                -errors[:-1],
                color=f"C{i}",
                linestyle=styles[j % len(styles)],
                label=in_legend(wrapped(f"{label}, {count:,} classes", 32, 6)),
            )
            curves.plot(0.0, -errors[-1], "o", color=f"C{i}", markersize=5)
    curves.set_ylabel("average error\nsent to the true class")
    curves.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    for axes in (curves, histogram):
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    # Next to the curves, so that it does not cover them.
    figure.legend(loc="outside right upper", fontsize="small")

    if logits is not None:
        histogram.hist(np.ravel(logits), bins=80, density=True, color="0.7")
    elif logit_std:
        density = np.exp(-((z / logit_std) ** 2) / 2)
        density /= logit_std * np.sqrt(2 * np.pi)
        histogram.fill_between(z, density, color="0.7")
    histogram.set_ylabel("density of\nlogits")
    histogram.set_xlabel("logit of the true class")
    return figure


def labels_of(
    losses: Mapping[str, Calibratable] | Sequence[Calibratable],
) -> list[tuple[str, Calibratable]]:
    """Labels and losses, from a mapping or from losses alone."""
    if not isinstance(losses, Iterable) or not losses:
        expected = "a list of losses, or a mapping, at least one"
        raise invalid("losses", losses, expected)
    if isinstance(losses, Mapping):
        return [(label, as_calibratable(of)) for label, of in losses.items()]
    return [(_label(as_calibratable(loss)), loss) for loss in losses]


def _label(loss: Calibratable) -> str:
    """The name that the user gave to a loss, or else its code."""
    kind = type(loss).__name__
    if re.sub(r"_\d+$", "", loss.name).replace("_", "") != kind.lower():
        return loss.name
    config = loss.get_config()
    defaults = inspect.signature(type(loss)).parameters
    own = list(config)[: list(config).index("num_classes")]
    arguments = []
    for name in [*own, *TRANSFORMS]:
        value = config[name]
        default = defaults[name].default if name in defaults else None
        if name in TRANSFORMS and value == default:
            continue
        if isinstance(value, Mapping):
            value = f"{value['class_name']}()"
        elif isinstance(value, list):
            value = "..."
        elif isinstance(value, str):
            value = f'"{value}"'
        arguments.append(f"{name}={value}")
    return f"{kind}({', '.join(arguments)})"
