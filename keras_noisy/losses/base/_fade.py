"""The numbers of a loss whose calibration fades while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses.base import _math
from keras_noisy.losses.base._labels import DenseLabels

if TYPE_CHECKING:
    from keras_noisy.losses.base._batch import Batch
    from keras_noisy.losses.base.robust_loss import RobustLoss


def ends(loss: RobustLoss) -> dict[str, float]:
    """What fades in this loss, and the value that it fades to."""
    names = loss.automatic_arguments()
    found = {n: loss.references[n] for n in names if n != "logit_bias"}
    bias = loss.logit_bias
    if bias is not None:
        found["logit_bias"] = 0.0
    if not found:
        raise ValueError(
            f"{type(loss).__name__} has nothing that could fade. Expected a "
            '`logit_bias`, a number or "auto", or a hyperparameter that is '
            '"auto". Received: logit_bias=None'
        )
    if isinstance(bias, float) and bias < 0:
        raise invalid("logit_bias", bias, "at least 0, as it is to fade")
    return found


def now(
    loss: RobustLoss, numbers: dict[str, Any], batch: Batch
) -> dict[str, Any]:
    """The numbers with as much of the calibration as is left now.

    Those that fade are columns of shape (N,), or (N, 1) beside classes.
    """
    layer, training, first, _ = loss._fading.use(type(loss).__name__)
    labels, logits = batch.labels, batch.logits
    label = labels.label()
    # Read the share before `observe`: each device sees only its shard.
    share = _math.cast(layer.share(), logits.dtype)
    if training and first and layer.by_margin:
        one_view = logits[:, 0] if loss.view_axes else logits
        log_p = _math.log_probability(label, ops.stop_gradient(one_view))
        layer.observe(_math.margin(log_p), label, labels.kept())
    if len(share.shape):
        share = ops.take(share, label)
    faded = {}
    for name, end in ends(loss).items():
        start = numbers[name]
        if start == end:  # Up to 10 classes.
            continue
        value = end + share * (start - end)
        if isinstance(labels, DenseLabels) or name == "logit_bias":
            value = ops.reshape(value, (-1, 1))
        faded[name] = value
    return {**numbers, **faded}
