"""A loss of one label per sample, on each of several labels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses.base import _batch
from keras_noisy.losses.base._arguments import Argument, typed
from keras_noisy.losses.base._math import LOWEST
from keras_noisy.losses.base._per_label import NoiseRates
from keras_noisy.losses.base.multi_label import SeveralLabels
from keras_noisy.losses.base.robust_loss import RobustLoss, Tensor
from keras_noisy.losses.confidence_correction import ConfidenceCorrection
from keras_noisy.losses.peer_loss import PeerLoss


class Inner(Argument):
    """The loss of each label."""

    def check(self, value: Any) -> RobustLoss:
        """The loss, if it can handle each label by itself."""
        if isinstance(value, dict):
            value = keras.losses.deserialize(value)
        if not isinstance(value, RobustLoss):
            expected = "a loss of one label per sample, such as `GCE()`"
            raise invalid(self.name, value, expected)
        reason = _reason_against(value)
        if reason is not None:
            raise ValueError(
                f"{type(value).__name__} cannot handle several labels: "
                f"{reason}. Use another loss, such as `GCE()`"
            )
        if value.reduction != "sum_over_batch_size":
            raise ValueError(
                "Pass `reduction` to Binary, not to the loss inside. Received: "
                f"reduction={value.reduction!r}"
            )
        return value

    def config(self, value: RobustLoss) -> dict[str, Any]:
        """The loss, serialized."""
        return keras.losses.serialize(value)


def _reason_against(loss: RobustLoss) -> str | None:
    """Why a loss makes no sense for each of several labels."""
    if loss.has_state:
        return "it remembers samples, not each label"
    if loss.balance:
        return "each label has its own balance: leave `balance` out"
    if isinstance(loss, ConfidenceCorrection):
        return "it needs a confidence next to each label"
    if isinstance(loss, PeerLoss) and loss.prior is None:
        return (
            "without `prior` it takes the shares of the classes in the batch, "
            "which are different for each label"
        )
    if loss.view_axes:
        return "its views need an axis that outputs for labels do not have"
    if loss.fade is not None:
        return (
            "two classes need no calibration that could fade: leave `fade` out"
        )
    if loss.has_own_call():
        return "it has its own `call` instead of a `formula`"
    if loss.num_classes not in (None, 2):
        return f"each label has 2 classes, not num_classes={loss.num_classes}"
    return None


@keras.saving.register_keras_serializable("keras_noisy")
class Binary(SeveralLabels):
    """Any robust loss for several labels per sample, each a yes or no.

    For a model that ends in `Dense(labels, activation="sigmoid")`: every output
    is its own classifier of two classes, and the loss of a sample is the mean
    over its labels, as in `keras.losses.BinaryCrossentropy`. A model with a
    single output needs no `Binary`: all losses support it.

    `noise_rates` adds a forward correction to any loss: the loss then sees the
    probabilities of the given labels. Pass `from_logits`, `ignore_class` and
    all arguments that change logits to the inner loss. A label that is NaN or
    equal to its `ignore_class` is unknown and not part of the mean. `Binary`
    rejects losses that need more than a label and an output: losses with a
    memory, `ConfidenceCorrection`, `PeerLoss` without `prior`, and losses with
    several views, `fade` or `balance`.

    Formula:

    ```
    loss = mean(w_j * l(y_j, z_j) for all labels j that are known)
    w_j = 1 + (pos_weight_j - 1) * y_j
    # if noise_rates
    q_1 = p * (1 - r_1) + (1 - p) * r_0,  q_0 = p * r_1 + (1 - p) * (1 - r_0)
    z_j = log(q_1 / q_0)
    ```

    where `l` is the inner loss, of two classes with the logits `(0, z_j)`,
    `y_j` the label, `p` the probability that it is 1, and `r_0`, `r_1` the
    rates at which a 0 is labeled 1 and a 1 is labeled 0.

    Args:
        loss: A loss of one label per sample, such as `GCE(q=0.7)`.
        pos_weight: Weight of the labels 1, a positive number or one for each
            label. Defaults to `None`, a weight of 1.
        noise_rates: The rates `(r_0, r_1)` of all labels, or of each label, of
            shape `(labels, 2)`, with sums below 1. Defaults to `None`, no
            correction.
        reduction: Any reduction of `keras.losses.Loss`. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `None`, `"binary"`.
        dtype: Dtype in which the loss is returned. Defaults to `None`,
            `keras.config.floatx()`.

    Call arguments:
        y_true: Labels 0 and 1, or soft labels between, of shape
            `(..., labels)`.
        y_pred: Probabilities or logits of the shape of `y_true`.
        sample_weight: Weights of the samples, or weights of each label, of
            the shape of `y_true`. Defaults to `None`.

    Returns:
        The reduced loss, or with `reduction=None` one value per sample.

    Raises:
        ValueError: If an argument is outside its range, if the loss cannot
            handle each label by itself, if shapes do not match, or if the
            first concrete batch has invalid labels or predictions.

    Example:

    >>> from keras_noisy.losses import MAE, Binary
    >>> y_true, y_pred = [[1, 0, -1]], [[0.75, 0.5, 0.9]]
    >>> float(Binary(MAE(ignore_class=-1))(y_true, y_pred))  # (0.5 + 1) / 2
    0.75

    References:
        - Zhang, Sabuncu, Generalized cross entropy loss for training deep
          neural networks with noisy labels, NeurIPS 2018, arXiv 1805.07836
        - Patrini et al. (forward correction), Making deep neural networks
          robust to label noise, CVPR 2017, arXiv 1609.03683
    """

    loss: RobustLoss = typed(Inner())
    noise_rates: Any = NoiseRates(None)

    def reads(self) -> tuple[bool, int | None]:
        """Whether outputs are logits, and the label that means unknown."""
        return self.loss.from_logits, self.loss.ignore_class

    def rows_of(self, batch: _batch.Batch, labels: int | None) -> Tensor:
        """Values of a batch in which every label counts as a sample."""
        rates = type(self).noise_rates.of_labels(self, labels)
        if rates is not None:
            z = ops.reshape(batch.logits, batch.shape)
            z = ops.reshape(_with_noise(z, rates), (-1, 1))
            batch = batch._replace(logits=z)
        return self.loss.rows_of(batch)


def _with_noise(z: Tensor, rates: np.ndarray) -> Tensor:
    """Logits of the given labels, from those (..., labels) of the true ones."""
    r_0, r_1 = rates[..., 0], rates[..., 1]
    with np.errstate(divide="ignore"):
        logs = [np.log(x) for x in (1 - r_1, r_0, r_1, 1 - r_0)]
    kept_1, gained_1, lost_1, kept_0 = (
        ops.convert_to_tensor(np.maximum(x, LOWEST), z.dtype) for x in logs
    )
    log_p, log_rest = ops.log_sigmoid(z), ops.log_sigmoid(-z)
    top = _log_sum(log_p + kept_1, log_rest + gained_1)
    return top - _log_sum(log_p + lost_1, log_rest + kept_0)


def _log_sum(a: Tensor, b: Tensor) -> Tensor:
    """`log(exp(a) + exp(b))`, with its derivative also where both are equal."""
    return ops.where(a > b, a + ops.softplus(b - a), b + ops.softplus(a - b))
