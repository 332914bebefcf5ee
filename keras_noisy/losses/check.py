"""Checks of a batch that a compiled training step cannot do."""

from __future__ import annotations

from typing import Any

import keras

from keras_noisy._arguments import invalid
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
    parts = batch if isinstance(batch, tuple | list) else _first(batch)
    if not isinstance(parts, tuple | list) or len(parts) not in (2, 3):
        expected = "`(x, y)`, or a data set with a batch of them"
        raise invalid("batch", type(batch), expected)
    x, y = parts[:2]
    y_pred = model.predict(x, verbose=0)
    if isinstance(loss, dict) and not isinstance(y_pred, dict):
        names = model.output_names
        loss = [loss.get(name) for name in names]
        y = [y[name] for name in names] if isinstance(y, dict) else y
        y_pred = y_pred if isinstance(y_pred, list | tuple) else [y_pred]
    for one, labels, outputs in _triples(loss, y, y_pred):
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


def _triples(loss: Any, y_true: Any, y_pred: Any) -> list[tuple]:
    """Each loss with its labels and outputs."""
    if not isinstance(y_pred, list | tuple | dict):
        return [(loss, y_true, y_pred)]
    keys = list(y_pred) if isinstance(y_pred, dict) else range(len(y_pred))
    several = isinstance(loss, list | tuple | dict)
    if isinstance(loss, list | tuple) and isinstance(y_pred, dict):
        loss = dict(zip(keys, loss, strict=True))
    return [
        (loss[key] if several else loss, y_true[key], y_pred[key])
        for key in keys
    ]
