"""What the first concrete batch reveals and a compiled step cannot raise."""

import warnings
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import invalid

Tensor = Any


def check(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    targets: bool,
    from_logits: bool,
    ignore_class: int | None,
) -> bool:
    """Raise on a batch that cannot be meant; False while values are traced."""
    predictions = concrete(y_pred)
    given = concrete(y_true)
    if predictions is None or given is None:
        return False
    _check_predictions(predictions, from_logits)
    if targets:
        _check_targets(given)
    else:
        _check_labels(given, predictions.shape[-1], ignore_class)
    return True


def concrete(x: Tensor) -> np.ndarray | None:
    """The values of `x`, or None while they are traced."""
    if not ops.is_tensor(x):
        return np.asarray(x)
    # TensorFlow's symbolic and PyTorch's meta tensors raise
    # NotImplementedError, JAX's tracers a TypeError, and tensors inside
    # PyTorch's function transforms a RuntimeError.
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except (NotImplementedError, TypeError, RuntimeError):
        return None


def is_distribution(x: np.ndarray) -> bool:
    # A softmax of many classes in half precision is off by a few percent.
    tolerance = 1e-2 if x.dtype in (np.float32, np.float64) else 5e-2
    x = x.astype("float32")
    # Not a number is no reason to complain: it shows in the loss anyway.
    return not (
        np.any(x < 0) or np.any(np.abs(np.sum(x, axis=-1) - 1) > tolerance)
    )


def _check_predictions(y_pred: np.ndarray, from_logits: bool) -> None:
    if y_pred.size == 0:
        return
    distribution = is_distribution(y_pred)
    if from_logits and distribution:
        warnings.warn(
            "The loss was built with `from_logits=True`, but every row of "
            "`y_pred` is a probability distribution. If the model ends in a "
            "softmax, remove it or pass `from_logits=False`.",
            stacklevel=4,
        )
    if not from_logits and not distribution:
        low, high = float(np.min(y_pred)), float(np.max(y_pred))
        raise ValueError(
            "Expected `y_pred` to hold probabilities: no negative entries and "
            f"rows that sum to 1. Received entries from {low:g} to {high:g} "
            "and rows that sum to "
            f"{float(np.sum(y_pred, axis=-1).flat[0]):g} (the first). "
            "If the model returns logits, build the loss with "
            "`from_logits=True`; otherwise end the model in a softmax."
        )


def _check_targets(y_true: np.ndarray) -> None:
    if not is_distribution(y_true):
        raise ValueError(
            "Expected each row of `y_true` to be a probability distribution "
            "over the classes: no negative entries and a sum of 1. Received "
            f"a row {_first_bad_row(y_true)}. Divide each row by its sum, or "
            "pass integer labels."
        )


def _first_bad_row(y_true: np.ndarray) -> str:
    rows = y_true.reshape(-1, y_true.shape[-1])
    bad = next(row for row in rows if not is_distribution(row[None]))
    return f"from {bad.min():g} to {bad.max():g} that sums to {bad.sum():g}"


def _check_labels(
    labels: np.ndarray, num_classes: int, ignore_class: int | None
) -> None:
    # `0 <= label < K` is False for a label that is not a number.
    valid = (labels >= 0) & (labels < num_classes)
    if np.issubdtype(labels.dtype, np.floating):
        valid &= labels == np.floor(labels)
    if ignore_class is not None:
        valid |= labels == ignore_class
    if not np.all(valid):
        label = labels[~valid].flat[0]
        raise invalid(
            "y_true",
            label.item(),
            f"integer labels in [0, {num_classes}), as `y_pred` has "
            f"{num_classes} classes, and {np.sum(~valid)} of {labels.size} "
            "are not. To leave out samples with a certain label, pass "
            "`ignore_class`",
        )
