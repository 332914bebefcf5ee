"""Calibration to the logits of a fresh network instead of a normal."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import are_arrays, first_not_finite
from keras_noisy._torch_random import same_random_state
from keras_noisy.calibration.average_error import as_calibratable, checked_std
from keras_noisy.calibration.fresh import Calibratable
from keras_noisy.calibration.matching import automatic
from keras_noisy.distribution import divisible


class LogitDistribution(NamedTuple):
    """What `logit_distribution` returns.

    Args:
        mean: Mean of the logits, a float.
        std: Their standard deviation, a float; calibration assumes 1.

    Example:

    >>> from keras_noisy.calibration import LogitDistribution
    >>> LogitDistribution(mean=0.0, std=1.0).std
    1.0
    """

    mean: float
    std: float


def logit_distribution(model: keras.Model, x: Any) -> LogitDistribution:
    """Mean and standard deviation of the logits of a model.

    Measure it before training, to see how far a network is from the standard
    normal that calibration assumes. The outputs of a model that ends in a
    softmax are turned into logits; these are known up to a constant per
    sample, which is chosen such that their mean is 0.

    Args:
        model: A Keras model with one output of shape `(..., num_classes)`,
            logits or probabilities.
        x: Inputs as `model.predict` takes them.

    Returns:
        `LogitDistribution(mean, std)`, two floats.

    Raises:
        ValueError: If the outputs are not finite or not one tensor.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.calibration import logit_distribution
    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(100)])
    >>> x = np.random.default_rng(0).normal(size=(256, 64))
    >>> logit_distribution(model, x)
    LogitDistribution(mean=..., std=...)

    References:
        - Staats, Thamm, Rosenow (Figure 5), AAAI 2025, arXiv 2306.05497
    """
    logits = model_logits(model, x)
    return LogitDistribution(float(logits.mean()), float(logits.std()))


def calibrate(loss: Calibratable, model: keras.Model, x: Any) -> Calibratable:
    """Calibrate a loss to the logits of a fresh network.

    Every `"auto"` argument of the loss is computed for the standard deviation
    of this network's logits instead of 1. A loss without `"auto"` arguments
    gets a `logit_bias`, or a new `margin_scale` if it has a `margin_scale`.

    Args:
        loss: A `keras_noisy.losses.RobustLoss`.
        model: A Keras model before training, with outputs of shape
            `(..., num_classes)`, logits or probabilities.
        x: Inputs as `model.predict` takes them; a few hundred are enough.

    Returns:
        A new loss of the same class, with numbers for `"auto"` arguments.

    Raises:
        ValueError: If the loss has another number of classes than the model,
            if the logits have a standard deviation above 10,
            or if no value gives the required error.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import MAEStar
    >>> from keras_noisy.calibration import calibrate
    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(100)])
    >>> x = np.random.default_rng(0).normal(size=(256, 64))
    >>> calibrate(MAEStar(from_logits=True), model, x).logit_bias
    2...

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """
    loss = as_calibratable(loss)
    logits = model_logits(model, x)
    # A single output stands for two classes.
    num_classes, logit_std = max(logits.shape[-1], 2), float(logits.std())
    if loss.num_classes not in (None, num_classes):
        raise ValueError(
            f"The loss was built for num_classes={loss.num_classes}, but the "
            f"model has {num_classes} outputs. Build the loss with "
            f"num_classes={num_classes}"
        )
    try:
        checked_std(logit_std)
    except ValueError as error:
        raise ValueError(
            "Expected a fresh network whose logits have a standard deviation "
            f"of at most 10. Received: one of {logit_std:.4g}. Scale the "
            "inputs as in training, and calibrate before training"
        ) from error
    config = loss.get_config()
    scaled = config["margin_scale"] is not None
    other = "margin_scale" if scaled else "logit_bias"
    for name in loss.automatic_arguments() or [other]:
        config[name] = automatic(loss, name, num_classes, logit_std)
    # Values that are fixed for the network do not fade.
    config |= {"num_classes": num_classes, "fade": None, "fade_key": None}
    return type(loss).from_config(config)


def model_logits(model: keras.Model, x: Any) -> np.ndarray:
    """Logits of a model, computed from probabilities if it returns these."""
    if are_arrays(x) and 0 in (leaf.shape[0] for leaf in keras.tree.flatten(x)):
        # Keras would fail, and on JAX lose the weights of the model.
        raise invalid("x", x, "at least one sample")
    with same_random_state():
        outputs = divisible.predict(model, x)
    if not isinstance(outputs, np.ndarray):
        raise ValueError(
            "Expected a model with one output. Received: a model whose "
            f"outputs are a {type(outputs).__name__} of {len(outputs)}. Pass "
            "a model of the output to calibrate"
        )
    outputs = outputs.astype("float64")
    first = first_not_finite(outputs)
    if first is not None:
        raise ValueError(
            "Expected finite outputs of the model. Received: "
            f"{np.sum(~np.isfinite(outputs))} of {outputs.size} are not, the "
            f"first of sample {first}. Check the inputs for NaN"
        )
    if outputs.ndim == 1:  # A single output without its axis.
        outputs = outputs[:, None]
    if outputs.shape[-1] == 1 and np.all((outputs >= 0) & (outputs <= 1)):
        outputs = np.clip(outputs, 1e-7, 1 - 1e-7)
        return np.log(outputs) - np.log1p(-outputs)
    sums = outputs.sum(axis=-1, keepdims=True)
    if np.all(outputs >= 0) and np.all(np.abs(sums - 1) < 1e-2):
        tiny = np.finfo("float32").tiny
        outputs = np.log(np.maximum(outputs, tiny))
        outputs -= outputs.mean(axis=-1, keepdims=True)
    return outputs
