"""The layer and the numbers of a calibration that fades in training."""

from __future__ import annotations

from typing import Any, dataclass_transform

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.layers import CalibrationFade
from keras_noisy.layers.connected import connected
from keras_noisy.layers.loss_state import PassThrough, Reference
from keras_noisy.losses.base import _math, _single
from keras_noisy.losses.base._batch import Batch
from keras_noisy.losses.base._declared import TRANSFORMS, DeclaredLoss
from keras_noisy.losses.base._labels import DenseLabels
from keras_noisy.losses.base._of_label import log_probability

Tensor = Any


# Tells type checkers that declarations of subclasses are arguments.
@dataclass_transform()
class FadingLoss(DeclaredLoss):
    """Base of `RobustLoss`: the layer behind `fade=`."""

    fade: Any
    fade_key: str | None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._fading: Reference[CalibrationFade] | None = None
        if self.fade is not None:
            loaded = CalibrationFade.without_loss(self.fade_key)
            layer = loaded or CalibrationFade(self.fade, self.fade_key)
            self._fading = Reference(layer)
            self.fade, self.fade_key = layer.fade, layer.key

    @property
    def fading(self) -> CalibrationFade | None:
        """With `fade`, the layer that knows how much calibration is left."""
        return None if self._fading is None else self._fading.layer

    def connect(self, outputs: Tensor) -> Tensor:
        """Pass the outputs of a model through the layers of this loss.

        Losses with `fade` or with a memory keep their state in the model;
        other losses return the outputs unchanged. Each model gets its own
        state. The layers come after the output layer, or before it if you
        named that layer, so that the outputs keep its name.

        Args:
            outputs: Output of a functional model that the loss is compiled on.

        Returns:
            A tensor of the same values.

        Raises:
            ValueError: If nothing could fade, or in `call` of a layer or model.
        """
        layers = self._new_layers()
        return connected(outputs, layers) if layers else outputs

    def _states(self) -> list[Reference]:
        """References to the layers that hold the state of this loss."""
        return [] if self._fading is None else [self._fading]

    def check_connected(self) -> None:
        """Raise unless the model calls every layer of this loss."""
        for state in self._states():
            state.called(type(self).__name__)

    def _new_layers(self) -> list[PassThrough]:
        """The layers to put into a model, without another model's state."""
        if self._fading is not None:
            ends(self)  # Raise here rather than in training.
        return [state.for_new_model() for state in self._states()]


def ends(loss: Any) -> dict[str, float]:
    """The arguments that fade in this loss, and their final values."""
    names = loss.automatic_arguments()
    found = {n: loss.references[n] for n in names if n not in TRANSFORMS}
    for name, end in TRANSFORMS.items():
        if loss.argument(name) is not None:
            found[name] = end
    if not found:
        raise ValueError(
            f"{type(loss).__name__} has nothing that could fade. Expected a "
            '`logit_bias` or a `margin_scale`, a number or "auto", or a '
            'hyperparameter that is "auto". Received: logit_bias=None, '
            "margin_scale=None"
        )
    bias = loss.logit_bias
    if isinstance(bias, float) and bias < 0:
        raise invalid("logit_bias", bias, "at least 0, with `fade`")
    return found


def now(loss: Any, numbers: dict[str, Any], batch: Batch) -> dict[str, Any]:
    """The numbers with the part of the calibration that is left now.

    Numbers that fade have shape (N,), or (N, 1) next to a class axis.
    """
    labels, logits = batch.labels, batch.logits
    given = labels.given if loss.fading.by_margin else None
    name = type(loss).__name__
    layer, training, first, _ = loss._fading.use(name, given)
    label = labels.label()
    # Read the share before `observe`: each device sees only its shard.
    share = _math.cast(layer.share(), logits.dtype)
    if training and first and layer.by_margin:
        one_view = logits[:, 0] if loss.view_axes else logits
        one_view = ops.stop_gradient(one_view)
        if _single.is_single(one_view):
            margin = _single.label_margin(label, one_view)
        else:
            margin = _math.margin(log_probability(label, one_view))
        layer.observe(margin, label, labels.kept())
    if len(share.shape):
        share = ops.take(share, label)
    faded = {}
    for name, end in ends(loss).items():
        start = numbers[name]
        if start in (end, None):  # Up to 10 classes.
            continue
        value = end + share * (start - end)
        if isinstance(labels, DenseLabels) or name == "logit_bias":
            value = ops.reshape(value, (-1, 1))
        faded[name] = value
    return {**numbers, **faded}
