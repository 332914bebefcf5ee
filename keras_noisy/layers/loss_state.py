"""The base of the layers that own the state of a loss."""

from __future__ import annotations

import sys
import threading
import uuid
import weakref
from typing import Any, Generic, NamedTuple, Self, TypeVar

import keras
from keras import ops

Tensor = Any

#: Layers of loaded and cloned models, by key, until a loss takes them.
_WITHOUT_LOSS: weakref.WeakValueDictionary[str | None, PassThrough]
_WITHOUT_LOSS = weakref.WeakValueDictionary()


class PassThrough(keras.layers.Layer):
    """Returns its inputs unchanged and owns the state of a loss.

    Keras only updates state in a training step, and only saves it, if it
    belongs to the model.

    Args:
        key: Text by which the loss finds the layer when a model is loaded.
            Defaults to `None`, a new key.
        num_classes: Number of classes, if the inputs do not show it.
            Defaults to `None`, the size of their last axis.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    #: What the loss has, for error messages.
    role = "a memory"
    #: False while a pass in training mode is not a training step.
    counts = True

    def __init__(
        self,
        key: str | None = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        # Outputs of a float32 head stay float32 under mixed precision.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.key = key or uuid.uuid4().hex
        self.num_classes = num_classes

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the layer, for the loss with its key to take."""
        layer = super().from_config(config)
        _WITHOUT_LOSS[layer.key] = layer
        return layer

    @classmethod
    def without_loss(cls, key: str | None) -> Self | None:
        """The layer of a loaded model for the loss with this key, only once."""
        layer = _WITHOUT_LOSS.get(key)
        if not isinstance(layer, cls):
            return None
        return _WITHOUT_LOSS.pop(key)

    def fresh(self) -> Self:
        """A layer with the same arguments that has no state yet."""
        config = self.get_config()
        for name in ("name", "num_classes"):
            del config[name]
        layer = type(self).from_config(config)
        _WITHOUT_LOSS.pop(self.key, None)
        return layer

    def _add_state(
        self,
        name: str,
        shape: tuple[Any, ...] = (),
        initializer: Any = "zeros",
        aggregation: str = "mean",
    ) -> keras.Variable:
        """A weight that the loss changes, in float32."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation=aggregation,
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the inputs, and tell the loss whether this is training."""
        training = bool(training) and self.counts
        if training:
            self.begin_step()
        call = _Call(self, training)
        last = _CALLS.of_key.get(self.key)
        # Two views, whose losses follow; otherwise none follows for the last.
        if (
            last is not None
            and training
            and last.training
            and last.passes > 0
            and last.compiled == call.compiled
        ):
            call.clash = last.layer() not in (self, None)
            call.passes += last.passes
        _CALLS.of_key[self.key] = call
        return inputs

    def begin_step(self) -> None:
        """Count a training step, in a layer that counts them."""

    def check_built(self) -> None:
        """Raise an error unless a model has called the layer."""
        if not self.built:
            raise ValueError(
                "The state of a loss is created with its model. Expected "
                "`outputs = loss.connect(outputs)` before the state is read"
            )

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "key": self.key,
            "num_classes": self.num_classes,
        }


def value(variable: keras.Variable) -> Tensor:
    """The value of a state; raise a clear error if Keras holds it."""
    try:
        return ops.convert_to_tensor(variable)
    except TypeError as error:  # Keras has moved it into its step.
        raise ValueError(
            "On JAX a metric cannot read the state of a loss. Expected a loss "
            "with `fade=` or a memory only in `loss` of `compile`. Take it "
            "out of `metrics`; the logs have it as `loss`"
            if _is_compiled()
            else "On JAX the training step holds the state of a loss within "
            "an epoch. Expected `model.jax_state_sync()` before the state is "
            "read in a callback"
        ) from error


class _Call:
    """A call of a layer, and how losses have used it."""

    def __init__(self, layer: PassThrough, training: bool):
        self.layer = weakref.ref(layer)
        self.training = training
        self.clash = False
        self.compiled = training and _is_compiled()
        #: Forward passes that no loss has used yet.
        self.passes = 1
        self.labels: Any = lambda: None


def _is_compiled() -> bool:
    """Whether this runs in a TensorFlow graph or a JAX `StatelessScope`.

    Keras creates no variable in a scope, the only public way to know.
    """
    if keras.backend.backend() == "tensorflow":
        return not sys.modules["tensorflow"].executing_eagerly()
    if keras.backend.backend() != "jax":
        return False
    try:
        keras.Variable(0.0, trainable=False, name="outside")
    except ValueError:
        return True
    return False


class _Calls(threading.local):
    # TensorFlow's replicas are threads that take turns.
    def __init__(self) -> None:
        self.of_key: dict[str, _Call] = {}


_CALLS = _Calls()


Layer = TypeVar("Layer", bound=PassThrough)


class Use(NamedTuple):
    """What a loss learns about the forward pass of its predictions."""

    layer: Any
    training: bool
    #: Whether this is the first call of the loss in this pass.
    first: bool
    #: Whether these are the labels of the first call, as for a metric.
    repeated: bool = False


class Reference(Generic[Layer]):
    """Holds a layer of the model without Keras tracking it."""

    def __init__(self, layer: Layer):
        self.layer = layer

    def for_new_model(self) -> Layer:
        """The layer, or a fresh one if it has the state of another model."""
        if self.layer.built:
            self.layer = self.layer.fresh()
        return self.layer

    def peek(self) -> Use | None:
        """The last forward pass, or None if the model has not called the layer.

        A clone of the model has its own layer with the same key.
        """
        call = _CALLS.of_key.get(self.layer.key)
        if call is None:
            return None
        return Use(call.layer() or self.layer, call.training, call.passes > 0)

    def called(self, loss: str) -> Use:
        """The last forward pass; raise an error if there is none or several."""
        found = self.peek()
        if found is None:
            raise ValueError(
                f"`{loss}` has {self.layer.role}, but the model does not call "
                "its layer. Expected `outputs = loss.connect(outputs)` before "
                "`keras.Model(inputs, outputs)`"
            )
        if _CALLS.of_key[self.layer.key].clash:
            raise ValueError(
                f"Expected a `{loss}` of its own for each output. Received "
                "one that is connected to several outputs of a model, whose "
                "states it cannot tell apart"
            )
        return found

    def use(self, loss: str, labels: Tensor = None) -> Use:
        """The last forward pass; it then counts as used for these labels.

        Labels are only given if the state depends on them.
        """
        found = self.called(loss)
        call = _CALLS.of_key[self.layer.key]
        if call.training and call.compiled and not _is_compiled():
            backend = keras.backend.backend()
            # Without labels, the compiled layer itself counts the steps.
            if found.first and (labels is not None or backend == "jax"):
                text = _OUTSIDE[backend].format(loss, self.layer.role)
                raise ValueError(text)
            # A compiled `predict` that runs again does not call the layer.
            return found._replace(training=False)
        repeated = labels is not None and call.labels() is labels
        if found.first:
            call.passes -= 1
            if labels is not None:
                call.labels = weakref.ref(labels)
        return found._replace(repeated=repeated)


_OUTSIDE = {
    "jax": (
        "Expected `{}` on JAX in a `keras.StatelessScope`, as the model was "
        "called in one. Received: a call outside, where it cannot read {} and "
        "would train without. Compile the model with the loss, and after "
        "`model.stateless_call` use `loss, (_, non_trainable, _) = "
        "model.stateless_compute_loss(trainable, non_trainable, "
        "metrics_variables, x=x, y=y, y_pred=y_pred)`"
    ),
    "tensorflow": (
        "Expected `{}` in the `tf.function` that calls the model. Received: a "
        "call outside, where {} would only follow the first batch. Call the "
        "model and the loss in the same function, or both outside"
    ),
}
