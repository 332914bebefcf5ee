"""What a concrete batch reveals and a compiled step cannot raise."""

import warnings
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._stochastic import is_distribution
from keras_noisy.losses.base import _single
from keras_noisy.losses.base._math import SUM_TOLERANCE

Tensor = Any

SEE = " `keras_noisy.check(model, loss, batch)` looks at any batch like this."


def check(loss: Any, batch: Any, y_true: Tensor, strict: bool) -> bool:
    """Raise on a batch that cannot be meant; False while values are traced.

    `strict` raises also on what is likely a mistake.
    """
    predictions = concrete(batch.y_pred)
    given = concrete(y_true)
    if predictions is None or given is None:
        return False
    single = _single.is_single(batch.logits)
    _check_predictions(predictions, loss.from_logits, strict, single)
    if single and batch.labels.sample is None:
        _single.check_rank(given, predictions, loss.from_logits)
        _single.check_labels(given, loss.ignore_class, SEE)
    elif batch.integers is None:
        _check_targets(given)
    else:
        _check_labels(given, batch.num_classes, loss.ignore_class)
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


def _off(x: np.ndarray) -> np.ndarray:
    return np.abs(np.sum(x, axis=-1, dtype="float32") - 1) > SUM_TOLERANCE


def _first_bad_row(x: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1]).astype("float32")
    return rows[np.argmax(np.any(rows < 0, axis=-1) | _off(rows))]


def _check_predictions(
    y_pred: np.ndarray, from_logits: bool, strict: bool, single: bool
) -> None:
    if y_pred.size == 0:
        return
    if strict and not np.all(np.isfinite(y_pred.astype("float32"))):
        raise ValueError(
            "Expected finite outputs of the model. Received: "
            f"{np.sum(~np.isfinite(y_pred.astype('float32')))} of "
            f"{y_pred.size} are NaN or infinite. Look for them in the inputs, "
            "or build the model anew with a smaller learning rate"
        )
    if single:
        _single.check_outputs(y_pred, from_logits, SEE)
        if strict and from_logits and _single.looks_like_probabilities(y_pred):
            warnings.warn(
                "The loss was built with `from_logits=True`, but all outputs "
                "of the model are between 0 and 1. If it ends in a sigmoid, "
                "remove that or pass `from_logits=False`.",
                stacklevel=5,
            )
        return
    distribution = is_distribution(y_pred)
    if from_logits and distribution:
        text = (
            "The loss was built with `from_logits=True`, but every row of "
            "`y_pred` is a probability distribution. If the model ends in a "
            "softmax, remove it or pass `from_logits=False`."
        )
        if strict:
            raise ValueError(text)
        warnings.warn(text + SEE, stacklevel=5)
    if not from_logits and not distribution:
        row, low, high = _first_bad_row(y_pred), y_pred.min(), y_pred.max()
        if low < 0:
            advice = (
                "If the model returns logits, build the loss with "
                "`from_logits=True`; otherwise end the model in a softmax."
            )
        elif high <= 1:
            advice = (
                "Such are the outputs of a sigmoid. For several labels per "
                "sample wrap the loss, `keras_noisy.losses.Binary(loss)`; for "
                "one label end the model in a softmax, or for two classes in "
                '`Dense(1, activation="sigmoid")`.'
            )
        else:
            advice = (
                "Such are the outputs of a ReLU. End the model in a softmax, "
                "or remove the activation and build the loss with "
                "`from_logits=True`."
            )
        raise ValueError(
            "Expected `y_pred` to hold probabilities: no negative entries and "
            f"rows that sum to 1. Received entries from {float(low):g} to "
            f"{float(high):g} and rows that sum to {float(row.sum()):g} (the "
            f"first of them). {advice}{SEE}"
        )


def _check_targets(y_true: np.ndarray) -> None:
    if is_distribution(y_true):
        return
    row = _first_bad_row(y_true)
    advice = "Divide each row by its sum, or pass integer labels."
    if np.all((y_true == 0) | (y_true == 1)):
        advice = (
            "Rows of several ones or none are multi-label targets. For these "
            "end the model in a sigmoid and wrap the loss, "
            "`keras_noisy.losses.Binary(loss)`; for one label per sample pass "
            "integer labels."
        )
    raise ValueError(
        "Expected each row of `y_true` to be a probability distribution "
        "over the classes: no negative entries and a sum of 1. Received a row "
        f"from {row.min():g} to {row.max():g} that sums to {row.sum():g}. "
        f"{advice}{SEE}"
    )


def _check_labels(
    labels: np.ndarray, num_classes: int, ignore_class: int | None
) -> None:
    # `0 <= label < K` is False for a label that is not a number.
    valid = (labels >= 0) & (labels < num_classes)
    if np.issubdtype(labels.dtype, np.floating):
        valid &= labels == np.floor(labels)
    if ignore_class is not None:
        valid |= labels == ignore_class
    if np.all(valid):
        return
    label = labels[~valid].flat[0]
    advice = "To leave out samples with a certain label, pass `ignore_class`"
    if labels.min() == 1 and labels.max() == num_classes:
        advice = "Labels that count from 1 need `labels - 1`"
    elif abs(float(label)) > 2**31:
        advice = (
            "A missing label that was cast to an integer looks like that: give "
            "such samples a label such as -1, and pass `ignore_class=-1`"
        )
    raise invalid(
        "y_true",
        label.item(),
        f"integer labels in [0, {num_classes}), as `y_pred` has "
        f"{num_classes} classes, and {np.sum(~valid)} of {labels.size} "
        f"are not. {advice}.{SEE[:-1]}",
    )
