"""Units of a network that represent classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels


def assign_units(outputs: Any, labels: Any) -> np.ndarray:
    """Find the unit of each class, for a network that does not know classes.

    A network that is trained only by dependence separates the classes, each in
    its own unit, but does not know which unit belongs to which class. Each
    class gets the unit that is largest on average over its samples. Classes
    choose in order, and no unit is used twice.

    Args:
        outputs: Outputs of the network, of shape `(N, units)`.
        labels: Integer labels of shape `(N,)` or `(N, 1)`, at least one of
            each class. The highest label gives the number of classes, which
            must be at most `units`.

    Returns:
        Integers of shape `(num_classes,)`.

    Raises:
        ValueError: If shapes do not match, a class has no sample, or there are
            more classes than units.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.hsic import assign_units
    >>> outputs = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.0]])
    >>> assign_units(outputs, [0, 0, 1]).tolist()
    [1, 0]

    References:
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """
    outputs, labels = _checked(outputs, labels)
    num_classes = int(labels.max()) + 1
    if num_classes > outputs.shape[1]:
        raise ValueError(
            f"Expected at least one unit for each of the {num_classes} "
            f"classes. Received: outputs.shape={outputs.shape}. End the "
            "network in a wider block, or train a `classifier` on it"
        )
    counts = np.bincount(labels, minlength=num_classes)
    if not counts.all():
        raise ValueError(
            "Expected samples of every class in `labels`. Received: none of "
            f"class {int(np.argmin(counts))}. Pass more samples, or renumber "
            "the classes"
        )
    means = np.zeros((num_classes, outputs.shape[1]))
    np.add.at(means, labels, outputs)
    means /= counts[:, None]
    units: list[int] = []
    for mean in means:
        mean[units] = -np.inf
        units.append(int(np.argmax(mean)))
    return np.array(units)


def unit_accuracy(outputs: Any, labels: Any, units: Any) -> float:
    """Mean accuracy over the classes, predicted by the units of classes.

    Formula:

    ```
    accuracy = mean over classes k of share of samples of k whose largest
               output is units[k]
    ```

    Args:
        outputs: Outputs of the network, of shape `(N, units)`.
        labels: Integer labels of shape `(N,)` or `(N, 1)`. The mean leaves out
            classes without samples.
        units: The unit of each class, from `assign_units`.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: If shapes do not match, or a label or unit does not exist.

    Example:

    >>> from keras_noisy.hsic import unit_accuracy
    >>> unit_accuracy([[0.1, 0.9], [0.8, 0.2], [0.7, 0.0]], [0, 0, 1], [1, 0])
    0.75

    References:
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """
    units = class_labels("units", units)
    outputs, labels = _checked(outputs, labels, len(units))
    if units.max() >= outputs.shape[1] or len(set(units.tolist())) < len(units):
        expected = f"different units, below {outputs.shape[1]}"
        raise invalid("units", units.tolist(), expected)
    is_right = outputs.argmax(axis=1) == units[labels]
    shares = [is_right[labels == k].mean() for k in np.unique(labels)]
    return float(np.mean(shares))


def _checked(
    outputs: Any, labels: Any, num_classes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    outputs = as_array("outputs", outputs).astype("float64")
    labels = class_labels("labels", labels, num_classes)
    if outputs.ndim != 2 or len(outputs) != len(labels) or not len(labels):
        raise ValueError(
            "Expected `outputs` of shape (N, units) and N labels, at least "
            f"one. Received: outputs.shape={outputs.shape} and {len(labels)} "
            "labels"
        )
    if not np.isfinite(outputs).all():
        raise ValueError(
            "Expected finite `outputs`. Received: "
            f"{np.sum(~np.isfinite(outputs))} of {outputs.size} are NaN or "
            "infinite. Train again with a smaller learning rate"
        )
    return outputs, labels
