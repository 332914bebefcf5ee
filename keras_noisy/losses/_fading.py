"""A loss whose calibration fades while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses import _transforms
from keras_noisy.losses._given import Given, Targets

if TYPE_CHECKING:
    from keras_noisy.losses.robust_loss import RobustLoss

Tensor = Any


def ends(loss: RobustLoss) -> dict[str, float]:
    """What fades in this loss, and the value that it fades to."""
    names = loss.automatic_arguments()
    found = {n: loss.references[n] for n in names if n != "logit_bias"}
    if loss.logit_bias is not None:
        found["logit_bias"] = 0.0
    if not found:
        raise ValueError(
            f"{type(loss).__name__} has nothing that could fade. Expected a "
            '`logit_bias`, a number or "auto", or a hyperparameter that is '
            '"auto". Received: logit_bias=None'
        )
    if (loss._bias or 0.0) < 0:
        raise invalid(
            "logit_bias", loss.logit_bias, "at least 0, as it is to fade"
        )
    return found


def now(loss: RobustLoss, labels: Given, logits: Tensor) -> RobustLoss:
    """The loss with as much of its calibration as is left now."""
    layer, training, first, _ = loss._fading.use(type(loss).__name__)
    label = labels.label()
    # Read the share before `observe`: each device sees only its shard.
    share = _transforms.cast(layer.share(), logits.dtype)
    if training and first and layer.by_margin:
        logits = ops.stop_gradient(logits)
        log_p = _transforms.log_probability(label, logits)
        layer.observe(_transforms.margin(log_p), label, labels.kept())
    if len(share.shape):
        share = ops.take(share, label)
    values = {}
    for name, end in ends(loss).items():
        start = getattr(loss, name)
        if start == end:  # Up to 10 classes.
            continue
        value = end + share * (start - end)
        if isinstance(labels, Targets) or name == "logit_bias":
            value = ops.reshape(value, (-1, 1))  # Broadcast over classes.
        values["_faded_bias" if name == "logit_bias" else name] = value
    faded = object.__new__(type(loss))
    vars(faded).update({**vars(loss), **values})
    return faded
