"""Checks of the model, loss and data that `LDCE` gets."""

from __future__ import annotations

import types
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels
from keras_noisy._replicas import device_count
from keras_noisy.distribution.processes import process_count


def check_encoder(encoder: Any) -> tuple[int | None, ...]:
    """Shape of the features; an error if `encoder` is not an encoder."""
    if not isinstance(encoder, keras.Model) or not encoder.built:
        expected = "a built keras.Model; give it a `keras.Input`"
        raise invalid("encoder", type(encoder), expected)
    shape = getattr(encoder, "output_shape", type(encoder))
    if not isinstance(shape, tuple) or len(shape) != 2:
        expected = (
            "a functional or sequential model with one output of shape "
            "(batch, size); end it in `GlobalAveragePooling2D` or `Flatten`"
        )
        raise invalid("encoder", shape, expected)
    return shape


def check_loss(given: Any) -> None:
    """Raise for a loss that does not fit logits and weights."""
    for loss in keras.tree.flatten(given):
        _check_one(loss)


def _check_one(given: Any) -> None:
    loss = keras.losses.get(given) if isinstance(given, str) else given
    inner = getattr(loss, "loss", None)
    if isinstance(inner, keras.losses.Loss):
        _check_one(inner)
    states = ("has_state", "fade", "history")
    if any(getattr(loss, name, None) for name in states):
        raise ValueError(
            f"`{type(loss).__name__}` has a memory or a fade, which need "
            "layers that `LDCE` does not call. Expected a loss without them. "
            "Train with this loss after `LDCE`, on `confidence()`"
        )
    # A function of Keras, or what it finds by name, expects probabilities.
    is_function = isinstance(given, types.FunctionType)
    is_of_keras = is_function and given.__module__.startswith("keras.")
    for_logits = getattr(loss, "from_logits", True)
    if isinstance(given, str) or is_of_keras or for_logits is False:
        raise ValueError(
            "Expected a loss of logits, as the model predicts logits: "
            "`compile(optimizer, CrossEntropy(from_logits=True))`. "
            f"Received: loss={given!r}, which is for probabilities"
        )
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction != "sum_over_batch_size":
        expected = '"sum_over_batch_size", as confidences weigh its terms'
        raise invalid("reduction", reduction, expected)


def check_batch(y: Any, weights: Any) -> None:
    """Raise unless batches come from `trusted_and_noisy`."""
    if not isinstance(y, dict) or weights is not None:
        raise ValueError(
            "Expected batches of `keras_noisy.datasets.trusted_and_noisy` in "
            "training, without `sample_weight` and `class_weight`. Received: "
            f"y={type(y).__name__}, weights={type(weights).__name__}"
        )


def check_fit(
    model: Any,
    data: Any = None,
    y: Any = None,
    class_weight: Any = None,
    **others: Any,
) -> None:
    """Raise before training, where the message is clearer than in a step.

    This covers devices that would share the shots, and data of other sizes.
    """
    check_loss(getattr(model, "loss", None))
    if y is not None or class_weight is not None:
        check_batch(y, class_weight)
    if device_count() > 1 or process_count() > 1:
        raise ValueError(
            "`LDCE` compares every sample with all shots, but with several "
            "processes or TensorFlow devices each would see only some shots. "
            "Expected one process, and on TensorFlow one device. Train with "
            "`data_parallel(devices=1)`, or on several devices with JAX"
        )
    for size in ("num_samples", "num_classes", "shots"):
        wanted, found = getattr(model, size), getattr(data, size, None)
        if found is not None and found != wanted:
            raise invalid(size, wanted, f"{found}, as in the data")


def checked_samples(
    given: tuple, trusted: tuple, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Trusted samples followed by the others, and the labels of all."""
    samples, labels = [], []
    for (x, y), names in (
        (trusted, ("shots", "shot_labels")),
        (given, ("x", "labels")),
    ):
        samples.append(as_array(names[0], x))
        labels.append(class_labels(names[1], y, num_classes))
        if len(samples[-1]) != len(labels[-1]):
            sizes = f"{len(samples[-1])} and {len(labels[-1])}"
            expected = f"as many samples of `{names[0]}` as labels"
            raise invalid(names[1], sizes, expected)
    missing = np.setdiff1d(np.arange(num_classes), labels[0])
    if len(missing):
        expected = f"some of every class; there are none of {missing.tolist()}"
        raise invalid("shot_labels", f"{len(labels[0])} labels", expected)
    return np.concatenate(samples), np.concatenate(labels).astype("int32")
