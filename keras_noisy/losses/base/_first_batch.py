"""Checks of a concrete batch, for errors that a compiled step cannot raise."""

import sys
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._label_arrays import other_numbers
from keras_noisy._label_tensors import numbers_of
from keras_noisy._stochastic import bad_rows, is_distribution
from keras_noisy._warn import warn
from keras_noisy.losses.base import _single
from keras_noisy.losses.base._batch import Batch

Tensor = Any

#: Outputs of fewer samples may be between 0 and 1 by chance.
ENOUGH = 8
SEE = " `keras_noisy.check(model, loss, batch)` looks at any batch like this."


def check(loss: Any, batch: Batch, y_true: Tensor, strict: bool) -> bool:
    """Raise on a batch that must be a mistake; False while values are traced.

    With `strict`, raise also on a likely mistake.
    """
    predictions = concrete(batch.y_pred)
    given = concrete(y_true)
    if predictions is None or given is None:
        return False
    single = _single.is_single(batch.logits)
    _check_predictions(predictions, loss.from_logits, strict, single)
    if single and batch.labels.sample is None:
        _check_rank(given, predictions, loss.from_logits)
        check_labels(given, loss.ignore_class)
    elif batch.integers is None:
        _check_targets(given)
    else:
        _check_labels(given, batch.num_classes, loss.ignore_class)
    return True


def concrete(x: Tensor) -> np.ndarray | None:
    """The values of `x`, or None while they are traced."""
    if not ops.is_tensor(x):
        return numbers_of(x)
    # TensorFlow's symbolic and PyTorch's meta tensors raise
    # NotImplementedError, JAX's tracers a TypeError, and tensors inside
    # PyTorch's function transforms a RuntimeError.
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except (NotImplementedError, TypeError, RuntimeError):
        return None


def is_filler(y_true: Tensor, y_pred: Tensor) -> bool:
    """Whether Keras made up a batch to learn the shapes of a model.

    If a PyTorch step fails without values, Keras repeats it with ones. An
    error about these ones would hide the real one.
    """
    if keras.backend.backend() != "torch" or not ops.is_tensor(y_pred):
        return False
    if sys.modules["torch"].is_grad_enabled():
        return False
    arrays = [concrete(x) for x in (y_true, y_pred)]
    return all(x is not None and np.all(x == 1) for x in arrays)


def _first_bad_row(x: np.ndarray) -> np.ndarray:
    rows = x.reshape(-1, x.shape[-1]).astype("float32")
    return rows[np.argmax(bad_rows(rows))]


def _check_predictions(
    y_pred: np.ndarray, from_logits: bool, strict: bool, single: bool
) -> None:
    if y_pred.size == 0:
        return
    if single:
        check_outputs(y_pred, from_logits, strict)
        return
    _check_finite(y_pred, strict)
    distribution = is_distribution(y_pred)
    if from_logits and distribution:
        text = (
            "The loss was built with `from_logits=True`, but every row of "
            "`y_pred` is a probability distribution. If the model ends in a "
            "softmax, remove it or pass `from_logits=False`."
        )
        if strict:
            raise ValueError(text)
        warn(text + SEE)
    if not from_logits and not distribution:
        row, low, high = _first_bad_row(y_pred), y_pred.min(), y_pred.max()
        raise ValueError(
            "Expected `y_pred` to hold probabilities: no negative entries and "
            f"rows that sum to 1. Received entries from {float(low):g} to "
            f"{float(high):g} and rows that sum to {float(row.sum()):g} (the "
            f"first of them). {_advice_for(low, high)}{SEE}"
        )


def _advice_for(low: float, high: float) -> str:
    """The likely reason for outputs that are not probabilities."""
    if low < 0:
        return (
            "If the model returns logits, build the loss with "
            "`from_logits=True`; otherwise end the model in a softmax."
        )
    if high <= 1:
        return (
            "They look like outputs of a sigmoid. For several labels per "
            "sample wrap the loss, `keras_noisy.losses.Binary(loss)`; for one "
            "label end the model in a softmax, or for two classes in "
            '`Dense(1, activation="sigmoid")`.'
        )
    return (
        "They look like outputs of a ReLU. End the model in a softmax, or "
        "remove the activation and build the loss with `from_logits=True`."
    )


def _check_targets(y_true: np.ndarray) -> None:
    if is_distribution(y_true):
        return
    row = _first_bad_row(y_true)
    advice = "Divide each row by its sum, or pass integer labels."
    if np.all((y_true == 0) | (y_true == 1)):
        advice = (
            "Rows with several ones or none are multi-label targets. For these "
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
    expected = (
        f"integer labels in [0, {num_classes}), as `y_pred` has {num_classes} "
        "classes"
    )
    raise _bad_label(labels, valid, num_classes, expected)


def _bad_label(
    labels: np.ndarray,
    valid: np.ndarray,
    num_classes: int,
    expected: str,
    where: str = "",
) -> ValueError:
    """The error for the labels that are not valid."""
    label = labels[~valid].flat[0].item()
    advice = other_numbers(labels, num_classes) or (
        ". To leave out samples with a certain label, pass `ignore_class`"
    )
    if label != label or abs(label) > 2**31:
        advice = (
            ". A missing label that is NaN, or was cast to an integer, looks "
            "like this: give such samples a label such as -1, and pass "
            "`ignore_class=-1`"
        )
    return invalid(
        "y_true",
        label,
        f"{expected}, and {np.sum(~valid)} of {labels.size} are not{where}"
        f"{advice}.{SEE[:-1]}",
    )


def check_outputs(
    y_pred: np.ndarray, from_logits: bool, strict: bool, several: bool = False
) -> None:
    """Raise on outputs that are not probabilities; warn of likely mistakes.

    `several` says whether each column has its own label.
    """
    _check_finite(y_pred, strict)
    outputs = y_pred.astype("float32")
    units = outputs.shape[-1] if several else 1
    layer = f'`Dense({units}, activation="sigmoid")`'
    outside = (outputs < 0) | (outputs > 1 + _single.TOLERANCE)
    if not from_logits and np.any(outside):
        each = "for each label" if several else "as a single output per sample"
        where = _column(outside) if several else ""
        low, high = np.nanmin(outputs), np.nanmax(outputs)
        raise ValueError(
            f"Expected `y_pred` to hold, {each}, the probability of class 1, "
            f"between 0 and 1. Received entries from {low:g} to {high:g}"
            f"{where}. If the model returns logits, build the loss with "
            f"`from_logits=True`; otherwise end the model in {layer}.{SEE}"
        )
    if strict and from_logits and _look_like_probabilities(outputs):
        warn(
            "The loss was built with `from_logits=True`, but all outputs of "
            "the model are between 0 and 1. If it ends in a sigmoid, remove "
            "it or pass `from_logits=False`."
        )


def _check_finite(y_pred: np.ndarray, strict: bool) -> None:
    """With `strict`, raise on outputs that are not finite."""
    bad = np.sum(~np.isfinite(y_pred.astype("float32"))) if strict else 0
    if bad:
        raise ValueError(
            "Expected finite outputs of the model. Received: "
            f"{bad} of {y_pred.size} are NaN or infinite. Check the inputs for "
            "such values, or rebuild the model with a smaller learning rate"
        )


def _look_like_probabilities(outputs: np.ndarray) -> bool:
    """Whether supposed logits may have gone through a sigmoid."""
    inside = bool(np.all((outputs > 0) & (outputs < 1)))
    return inside and outputs.size >= ENOUGH


def _column(bad: np.ndarray) -> str:
    """The column of the first bad label or output, for an error."""
    return f", the first of them in column {np.argwhere(bad)[0, -1]}"


def check_labels(
    labels: np.ndarray, ignore_class: int | None, several: bool = False
) -> None:
    """Raise on labels outside [0, 1].

    `several` says whether each column is its own label; NaN is then unknown.
    """
    valid = (labels >= 0) & (labels <= 1)
    if ignore_class is not None:
        valid |= labels == ignore_class
    if several:
        valid |= labels != labels
    if np.all(valid):
        return
    each, where = "`y_pred` has a single output", ""
    if several:
        each, where = "each column is a yes or no", _column(~valid)
    expected = f"labels 0 and 1, or soft labels between, as {each}"
    raise _bad_label(labels, valid, 2, expected, where)


def _check_rank(
    y_true: np.ndarray, y_pred: np.ndarray, from_logits: bool
) -> None:
    """Raise if (N,) outputs are the distribution of a single sample.

    Labels and outputs then sum to 1, as those of a batch do only by chance.
    """
    if from_logits or y_pred.ndim != 1 or len(y_pred) < 3:
        return
    if y_true.shape != y_pred.shape:
        return
    sums = [np.sum(x.astype("float64")) for x in (y_true, y_pred)]
    if np.allclose(sums, 1, rtol=0, atol=1e-5):
        raise ValueError(
            "Expected `y_pred` of shape (N,) to hold the probability of class "
            f"1 for each sample. Received: {len(y_pred)} numbers that sum to "
            "1, as labels do, which seem to be the classes of one sample. Add "
            "an axis for the samples, `y_true[None]` and `y_pred[None]`, or "
            f"pass num_classes={len(y_pred)} to the loss"
        )
