"""Sharpness-aware minimization."""

from __future__ import annotations

import threading
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import invalid, real
from keras_noisy._gradient import gradient
from keras_noisy.training._masks import stopped

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SAM(keras.Model):
    """Trains a model on the loss at the worst nearby weights.

    Each step computes two gradients: the first leads uphill to weights at
    distance `rho`, and the gradient there moves the weights. Papers report
    large gains with wrong labels, the most at an early epoch, before the
    network memorizes them. A step takes about twice as long as with SGD.

    With many wrong labels search distances above the default: in
    `docs/wide_minima.md` 1.0 memorizes few labels and 0.05 all.

    The wrapped model holds the weights; use and save it as usual. SAM is a
    model because a Keras optimizer sees only one gradient per step.

    Formula:

    ```
    e = rho * g / |g|  with  g = gradient of the loss at w
    step along  gradient of the loss at w + e  +  gradient of penalties at w
    ```

    where `|g|` is the norm over all trainable weights, and penalties come from
    regularizers. The logged loss is the loss at `w`. Layers draw the same
    dropout at `w` and `w + e`, and only the pass at `w` updates the averages
    of `BatchNormalization`: these two points are our choice. On several
    devices JAX climbs along the gradient of the whole batch; with TensorFlow
    and PyTorch each device climbs along the gradient of its part, as in the
    paper.

    Args:
        model: The `keras.Model` to train; it must be built.
        rho: Distance at which the second gradient is computed, above 0.
            Defaults to `0.05`.
        name: Name of the model. Defaults to `"sam"`.
        **kwargs: Arguments of `keras.Model`.

    Returns:
        A `keras.Model` to `compile` and `fit`, with the wrapped `model`.

    Raises:
        ValueError: If `rho` is not above 0, or `model` is not a built model or
            overrides `compute_loss` or `train_step`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import GCE
    >>> from keras_noisy.training import SAM
    >>> softmax = keras.layers.Dense(3, activation="softmax")
    >>> model = keras.Sequential([keras.Input((4,)), softmax])
    >>> sam = SAM(model, rho=0.05)
    >>> sam.compile(keras.optimizers.SGD(0.1, momentum=0.9), GCE())
    >>> x, y = np.ones((16, 4)), np.zeros(16, int)
    >>> history = sam.fit(x, y, verbose=0)
    >>> model.predict(x, verbose=0).shape
    (16, 3)

    References:
        - Foret et al., Sharpness-aware minimization for efficiently improving
          generalization, ICLR 2021, arXiv 2010.01412
        - Baek et al., Why is SAM robust to label noise?, ICLR 2024,
          arXiv 2405.03676
    """

    def __init__(
        self,
        model: keras.Model,
        rho: float = 0.05,
        name: str = "sam",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.rho = real("rho", rho, 0)
        if not isinstance(model, keras.Model) or not model.built:
            expected = "a built keras.Model; give it a `keras.Input`"
            raise invalid("model", type(model), expected)
        for method in ("train_step", "compute_loss"):
            own = getattr(type(model), method)
            if own is not getattr(keras.Model, method):
                expected = f"a model without a `{method}` of its own"
                raise invalid("model", type(model), expected)
        self.model = model
        self._state = _State()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Nothing to build: the wrapped model is already built."""
        self.built = True

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of the wrapped model, if it has some."""
        return self.model.output_names

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Outputs of the wrapped model."""
        return self.model(inputs, training=training)

    @property
    def losses(self) -> list[Tensor]:
        """Penalties of the layers, or none while only a loss is computed."""
        return [] if self._state.without_penalties else super().losses

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The loss at the weights, with the gradient at the worst weights."""
        here = super().compute_loss
        variables = self.trainable_variables
        if not training or not variables:
            return here(x, y, y_pred, sample_weight, training)
        # On JAX only the outer scope knows the values of these variables.
        others = [*self.non_trainable_variables, *self.metrics_variables]
        states = [(v, ops.convert_to_tensor(v)) for v in others]

        def loss_at(weights: list[Tensor]) -> Tensor:
            pairs = zip(variables, weights, strict=True)
            # Drop the updates that layers, metrics and the loss make here.
            with keras.StatelessScope([*pairs, *states]):
                outputs = self(x, training=True)
                self._state.without_penalties = True
                try:
                    return here(x, y, outputs, sample_weight, True)
                finally:
                    self._state.without_penalties = False

        weights = [ops.convert_to_tensor(v) for v in variables]
        ups = self._ascent(loss_at, [ops.stop_gradient(w) for w in weights])
        there = loss_at([w + up for w, up in zip(weights, ups, strict=True)])
        # Value of the loss at `w`, with the gradient of the penalties alone.
        y_pred = keras.tree.map_structure(stopped, y_pred)
        value = here(x, y, y_pred, sample_weight, True)
        return value + there - ops.stop_gradient(there)

    def _ascent(self, loss_at: Any, weights: list[Tensor]) -> list[Tensor]:
        # In half precision small gradients become 0 and large ones infinite:
        # scale the loss. The norm cancels the factor.
        is_half = self.model.compute_dtype == "float16"

        def scaled(w: list[Tensor]) -> Tensor:
            loss = loss_at(w)
            if not is_half:
                return loss
            size = ops.stop_gradient(ops.maximum(ops.abs(loss), 1.0))
            return loss * (1024.0 / size)

        gradients = gradient(scaled, weights)
        gradients = [ops.stop_gradient(g) for g in gradients]
        squares = [
            ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients
        ]
        norm = ops.sqrt(sum(squares))
        scale = self.rho / ops.maximum(norm, 1e-12)
        # A gradient that is still infinite gives no direction.
        return [
            ops.where(ops.isfinite(norm), g * ops.cast(scale, g.dtype), 0)
            for g in gradients
        ]

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "rho": self.rho,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> SAM:
        """Rebuild the model, with new weights."""
        config = dict(config)
        model = config.pop("model")
        return cls(keras.saving.deserialize_keras_object(model), **config)


class _State(threading.local):
    # The replicas of TensorFlow are threads that take turns.
    without_penalties = False
