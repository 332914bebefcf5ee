"""Checks of a batch that a compiled training step cannot do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy._torch_random import same_random_state
from keras_noisy.distribution import divisible
from keras_noisy.losses.base.multi_label import SeveralLabels
from keras_noisy.losses.base.robust_loss import RobustLoss
from keras_noisy.losses.given_label_loss import GivenLabelLoss
from keras_noisy.losses.small_loss import SmallLoss


def check(model: keras.Model, loss: Any, batch: Any) -> None:
    """Raise an error for a bad batch, where `fit` would at most show NaN.

    TensorFlow and JAX compile the training step, where no value can be
    checked: labels from 1 to K, outputs of a sigmoid, or logits without
    `from_logits=True` only give a loss of NaN there, and a softmax with
    `from_logits=True` gives no sign at all. Call this once before `fit`. It
    predicts the batch, changes nothing, and raises the same error on every
    backend.

    Args:
        model: The model, compiled or not.
        loss: The loss, or a list or dictionary of losses as `compile` takes
            them. Only losses of this package are checked.
        batch: `(x, y)` or `(x, y, sample_weight)`, with inputs and labels of
            some or all samples. Or a data set, such as a `tf.data.Dataset`, a
            `keras.utils.PyDataset` or a PyTorch `DataLoader`, whose first batch
            is used.

    Returns:
        None.

    Raises:
        ValueError: If labels or predictions are not what the loss expects. The
            message says what was found and what to do.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> import keras_noisy
    >>> model = keras.Sequential([keras.layers.Dense(3, "softmax")])
    >>> x, y = np.zeros((6, 4)), np.array([1, 2, 3, 1, 2, 3])
    >>> keras_noisy.check(model, keras_noisy.MAEStar(), (x, y - 1))
    >>> keras_noisy.check(model, keras_noisy.MAEStar(), (x, y))
    Traceback (most recent call last):
    ValueError: ... Labels that count from 1 need `labels - 1`...

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    with same_random_state():
        parts = batch if isinstance(batch, tuple | list) else _first(batch)
        if not isinstance(parts, tuple | list) or len(parts) not in (2, 3):
            expected = "`(x, y)`, or a data set with a batch of them"
            raise invalid("batch", type(batch), expected)
        x, y = parts[:2]
        y_pred = divisible.predict(model, x)
    for one, labels, outputs in _triples(model, loss, y, y_pred):
        _check_one(one, labels, outputs)


def _check_one(loss: Any, y_true: Any, y_pred: Any) -> None:
    if isinstance(loss, GivenLabelLoss):
        loss, y_true = loss.loss, loss.given(y_true, y_pred)
    if isinstance(loss, RobustLoss | SeveralLabels | SmallLoss):
        loss.check(y_true, y_pred)


def _first(data: Any) -> Any:
    """The first batch of a data set, None if it has none."""
    if isinstance(data, keras.utils.PyDataset):
        return data[0]
    try:
        return next(iter(data), None)
    except TypeError:
        return None


def _triples(model: Any, loss: Any, y_true: Any, y_pred: Any) -> Iterable:
    """Each loss with its labels and outputs, as `fit` pairs them."""
    names = list(getattr(model, "output_names", []))
    if isinstance(y_pred, dict):
        names, outputs = list(y_pred), list(y_pred.values())
    else:
        outputs = list(y_pred) if isinstance(y_pred, list | tuple) else [y_pred]
    if isinstance(loss, dict) and not set(loss) <= set(names):
        expected = f"a loss, a list, or a dictionary with keys of {names}"
        raise invalid("loss", list(loss), expected)
    if len(outputs) == 1 and not _is_list_of_one(y_true):
        y_true = [y_true]
    parts = [_of_each(given, names, len(outputs)) for given in (loss, y_true)]
    return zip(*parts, outputs, strict=True)


def _is_list_of_one(y_true: Any) -> bool:
    """Whether these are the labels of one output in a list or dictionary.

    A list of numbers or of rows has the labels themselves.
    """
    if isinstance(y_true, list | tuple):
        return len(y_true) == 1 and bool(getattr(y_true[0], "shape", ()))
    return isinstance(y_true, dict)


def _of_each(given: Any, names: list[str], count: int) -> list:
    """What is given for each output, or for all of them."""
    if isinstance(given, dict):
        return [given.get(name) for name in names]
    return list(given) if isinstance(given, list | tuple) else [given] * count
