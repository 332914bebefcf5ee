"""A picture of a transition matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._names import names_by_label
from keras_noisy._plots import matplotlib_figure, wrapped
from keras_noisy._stochastic import transition_matrix

# With more classes numbers and names do not fit into the plot.
MOST_NAMES = 20
#: Characters per line of a class name.
WIDTH = 24


def plot_transition(
    transition: Any,
    class_names: Sequence[str] | Mapping[int, str] | None = None,
) -> Any:
    """Plot a transition matrix, true classes as rows and labels as columns.

    Look at the plot before you train on the noise, or after an estimate. This
    needs matplotlib: `pip install matplotlib`.

    Args:
        transition: Row-stochastic matrix of shape
            `(num_classes, num_classes)`.
        class_names: Names of the classes, as a list in class order or a
            mapping from label to name. The plot shows them for up to 20
            classes. Defaults to `None`, the class numbers.

    Returns:
        A `matplotlib.figure.Figure`; call its `savefig`.

    Raises:
        ValueError: If the matrix is not row-stochastic or there is not one
            name for each class.
        ImportError: If matplotlib is not installed.

    Example:

    >>> from keras_noisy.noise import asymmetric, plot_transition
    >>> transition = asymmetric("cifar10", rate=0.4)
    >>> figure = plot_transition(transition)
    >>> figure.axes[0].get_ylabel()
    'true class'
    """
    matrix = transition_matrix("transition", transition)
    names = range(len(matrix)) if class_names is None else class_names
    names = names_by_label(names)
    if len(names) != len(matrix):
        raise ValueError(
            "Invalid value for argument `class_names`. Expected a name for "
            f"each of {len(matrix)} classes. Received: {len(names)} names"
        )
    figure = matplotlib_figure("plot_transition")(
        figsize=(7, 6), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="Blues", vmin=0)
    figure.colorbar(image, label="probability of the label")
    axes.set(xlabel="label", ylabel="true class")
    if len(matrix) <= MOST_NAMES:
        ticks = range(len(matrix))
        lines = 2 if len(matrix) <= MOST_NAMES // 2 else 1
        names = [wrapped(name, WIDTH, lines) for name in names]
        texts: dict[str, Any] = {"fontsize": "small", "parse_math": False}
        axes.set_xticks(
            ticks,
            names,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            **texts,
        )
        axes.set_yticks(ticks, names, **texts)
        for row, column in np.argwhere(matrix):
            entry = matrix[row, column]
            axes.text(
                column,
                row,
                f"{entry:.2g}",
                ha="center",
                va="center",
                fontsize="small",
                color="white" if entry > matrix.max() / 2 else "black",
            )
    return figure
