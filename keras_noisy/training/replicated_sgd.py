"""Replicated SGD."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import boolean, choice, integer, invalid, real
from keras_noisy._layers import all_layers
from keras_noisy._replicas import device_count
from keras_noisy.layers.loss_state import PassThrough
from keras_noisy.training._callbacks import with_callback
from keras_noisy.training._growth import SCHEDULES, Growth
from keras_noisy.training._masks import joined

Tensor = Any
#: Marks a coupling that the first batch will set.
UNSET = -1.0


@keras.saving.register_keras_serializable("keras_noisy")
class ReplicatedSGD(keras.Model):
    """Trains several networks that attract each other, and uses their center.

    Networks that start apart and slowly come together meet in a wide flat
    minimum, where the loss is low all around. Each replica trains on its own
    part of every batch, so use `replicas` times the batch size, the learning
    rate and the epochs of one network. Inference uses the center, whose
    weights and `BatchNormalization` statistics are the averages. Its accuracy
    is at chance until the replicas are close. `fit` logs `coupling` and
    `replica_distance`, the distance of the replicas to the center divided by
    the norm of the center.

    The pull overshoots if `2 * g * learning_rate / replicas` is above 1: lower
    the learning rate while `g` grows, and check that `replica_distance` falls
    too. The coupling includes all trainable weights. Regularization penalties
    are summed over the replicas. Every sample counts the same, even if
    `replicas` does not divide the batch size. On several devices JAX divides
    the whole batch among the replicas; TensorFlow and PyTorch divide the part
    of each device.

    Formula:

    ```
    loss = mean over replicas a of L_a + g mean_a |w_a - center|**2
    center = mean_a w_a
    g = coupling * growth**(epoch / epochs)
    ```

    Args:
        build_model: Function without arguments that returns a new built
            `keras.Model`, with other initial weights each time.
        replicas: Number of networks, an integer of at least 2. Defaults to
            `3`.
        coupling: `g` in the first epoch, at least 0. Defaults to `None`, which
            makes both terms equal in the first batch. (The authors' program
            used the whole training set.)
        growth: Factor by which `g` grows over all epochs of `fit`, at least 1.
            Defaults to `1e4`.
        schedule: How `g` grows: `"exponential"`, `"linear"` or `"cosine"`.
            Defaults to `"exponential"`.
        central_replica: Whether the center is a separate network, which
            learns only from the pull of the others. Defaults to `False`.
        name: Name of the model. Defaults to `"replicated_sgd"`.
        **kwargs: Arguments of `keras.Model`.

    Returns:
        A `keras.Model` to `compile` and `fit`. `replicas` holds the networks,
        and `center()` returns the averaged one.

    Raises:
        ValueError: If an argument is outside its range; if `build_model`
            returns a model that is not built, models that differ, or one
            connected to a loss with a memory or a fade; in `fit`, if all
            replicas have the same weights, or for a batch with fewer samples
            than replicas. A compiled step of TensorFlow may not know the batch
            size: then some replicas learn only from the pull.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import CrossEntropy
    >>> from keras_noisy.training import ReplicatedSGD
    >>> def build_model():
    ...     softmax = keras.layers.Dense(3, activation="softmax")
    ...     return keras.Sequential([keras.Input((4,)), softmax])
    >>> model = ReplicatedSGD(build_model, replicas=3)
    >>> model.compile(keras.optimizers.SGD(3 * 0.1), CrossEntropy())
    >>> x, y = np.ones((24, 4)), np.zeros(24, int)
    >>> history = model.fit(x, y, batch_size=3 * 4, epochs=6, verbose=0)
    >>> model.center().count_params()
    15

    References:
        - Baldassi et al., Unreasonable effectiveness of learning neural
          networks: from accessible states and robust ensembles to basic
          algorithmic schemes, PNAS 2016, arXiv 1605.06444
        - Baldassi, Pittorino, Zecchina, Shaping the learning landscape in
          neural networks around wide flat minima, PNAS 2020, arXiv 1905.07833
        - Pittorino et al., Entropic gradient descent algorithms and wide flat
          minima, ICLR 2021, arXiv 2006.07897
    """

    def __init__(
        self,
        build_model: Callable[[], keras.Model],
        replicas: int = 3,
        coupling: float | None = None,
        growth: float = 1e4,
        schedule: str = "exponential",
        central_replica: bool = False,
        name: str = "replicated_sgd",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        if not callable(build_model) or isinstance(build_model, keras.Model):
            expected = "a function that returns a new keras.Model"
            raise invalid("build_model", build_model, expected)
        if coupling is not None:
            coupling = real("coupling", coupling, 0, closed="low")
        self.coupling = coupling
        self.growth = real("growth", growth, 1, closed="low")
        self.schedule = choice("schedule", schedule, SCHEDULES)
        self.central_replica = boolean("central_replica", central_replica)
        self._build_model = build_model
        count = integer("replicas", replicas, 2)
        names = [f"replica_{number}" for number in range(count)]
        self.replicas = [self._built(name) for name in names]
        self.central = self._built("central") if central_replica else None
        self._check_networks()
        self.distance_tracker = keras.metrics.Mean(name="replica_distance")
        self.build()

    def _built(self, name: str) -> keras.Model:
        """A network whose weights have their own paths.

        On PyTorch, Keras looks up weights by path. It would reset the
        gradients of only one of several weights that share a path.
        """
        with keras.name_scope(name):
            return self._build_model()

    def _check_networks(self) -> None:
        networks = [*self.replicas, *([self.central] if self.central else [])]
        for network in networks:
            if not isinstance(network, keras.Model) or not network.built:
                expected = (
                    "a function that returns a built keras.Model; give it a "
                    "`keras.Input`"
                )
                raise invalid("build_model", type(network), expected)
        shapes = [[tuple(v.shape) for v in n.weights] for n in networks]
        if len({id(n) for n in networks}) < len(networks) or any(
            other != shapes[0] for other in shapes
        ):
            expected = "a function that returns a new, equal network each time"
            raise invalid("build_model", self._build_model, expected)
        if any(isinstance(x, PassThrough) for x in all_layers(networks[0])):
            raise ValueError(
                "Losses with a memory or a fade cannot be replicated, as they "
                "belong to one network. Build the model without `connect`, "
                "and compile another loss"
            )

    def build(self, input_shape: Any = None) -> None:
        """Create the coupling; the networks are already built."""
        if self.built:  # type: ignore[has-type]  # Keras sets it.
            return
        start = UNSET if self.coupling is None else self.coupling
        self.coupling_start = self._number("coupling_start", start)
        self.coupling_factor = self._number("coupling_factor", 1.0)
        self.built = True

    def _number(self, name: str, value: float) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="mean",
        )

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of each network, if it has some."""
        return self.replicas[0].output_names

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Outputs of the center; in training of each replica for its part."""
        if not training:
            weights, states = self._averages()
            outputs, _ = self.replicas[0].stateless_call(
                weights, states, inputs, training=False
            )
            return outputs
        count = len(self.replicas)
        size = ops.shape(keras.tree.flatten(inputs)[0])[0]
        if isinstance(size, int) and size < count:
            raise ValueError(
                f"Expected a sample for each of the {count} replicas in every "
                "batch. Use larger batches, or leave out the last one of an "
                f"epoch. Received: a batch of {size}"
            )
        bounds = [size * part // count for part in range(count + 1)]
        starts, ends = bounds[:-1], bounds[1:]
        sizes = [b - a for a, b in zip(starts, ends, strict=True)]
        if not isinstance(size, int):
            # A compiled step of TensorFlow cannot raise. A replica without a
            # sample gets one of another replica, and its output is dropped:
            # batch statistics of no sample would stay NaN.
            starts = [ops.minimum(a, ops.maximum(size - 1, 0)) for a in starts]
            ends = [
                ops.maximum(b, a + 1) for a, b in zip(starts, ends, strict=True)
            ]
        outputs = [
            replica(
                keras.tree.map_structure(lambda x, a=a, b=b: x[a:b], inputs),
                training=True,
            )
            for replica, a, b in zip(self.replicas, starts, ends, strict=True)
        ]
        return keras.tree.map_structure(
            lambda *parts: joined(list(parts), sizes), *outputs
        )

    def _averages(self) -> tuple[list[Tensor], list[Tensor]]:
        """Weights of the center, and averages of non-trainable variables."""
        states = zip(
            *(r.non_trainable_variables for r in self.replicas), strict=True
        )
        return self._center(), [_mean(variables) for variables in states]

    def _center(self) -> list[Tensor]:
        if self.central is not None:
            variables = self.central.trainable_variables
            return [ops.convert_to_tensor(v) for v in variables]
        weights = zip(
            *(r.trainable_variables for r in self.replicas), strict=True
        )
        return [_mean(variables) for variables in weights]

    def _squares(self) -> tuple[Tensor, Tensor]:
        """Mean squared distance to the center, and its squared norm."""
        center = self._center()
        norm = sum(_square(weight) for weight in center)
        distances = [
            _square(ops.convert_to_tensor(variable) - weight)
            for replica in self.replicas
            for variable, weight in zip(
                replica.trainable_variables, center, strict=True
            )
        ]
        return sum(distances) / len(self.replicas), norm

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Loss and coupling of the replicas, or the loss of the center."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        square, norm = self._squares()
        relative = ops.sqrt(square / ops.maximum(norm, 1e-12))
        self.distance_tracker.update_state(ops.stop_gradient(relative))
        if not training:
            return loss
        matched = ops.cast(loss, "float32") * device_count()
        matched = ops.stop_gradient(matched / ops.maximum(square, 1e-12))
        start = ops.convert_to_tensor(self.coupling_start)
        start = ops.where(start < 0, matched, start)
        self.coupling_start.assign(start)
        g = start * ops.convert_to_tensor(self.coupling_factor)
        return loss + ops.cast(g * square / device_count(), loss.dtype)

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """`fit` of Keras, with a coupling that grows with the epochs."""
        # Run before `Resume`, which saves the coupling.
        args, kwargs = with_callback(Growth(), self, args, kwargs)
        if not float(ops.convert_to_numpy(self._squares()[0])):
            raise ValueError(
                "Expected replicas with different weights. Build the model "
                "without seeds in its initializers, and do not load the same "
                "weights into all of them"
            )
        return super().fit(*args, **kwargs)

    def current_coupling(self) -> float:
        """The current strength `g` of the coupling.

        Returns:
            A float; NaN until the first batch sets it.
        """
        start, factor = (
            float(ops.convert_to_numpy(variable))
            for variable in (self.coupling_start, self.coupling_factor)
        )
        return start * factor if start >= 0 else float("nan")

    def center(self) -> keras.Model:
        """A new model with the weights of the center, the mean of the replicas.

        Returns:
            A model of `build_model`, not compiled, to predict with or to save.
        """
        model = self._build_model()
        weights, states = self._averages()
        values = {}
        for variables, averages in (
            (self.replicas[0].trainable_variables, weights),
            (self.replicas[0].non_trainable_variables, states),
        ):
            for variable, average in zip(variables, averages, strict=True):
                values[id(variable)] = np.asarray(ops.convert_to_numpy(average))
        model.set_weights([values[id(v)] for v in self.replicas[0].weights])
        return model

    def get_config(self) -> dict[str, Any]:
        """Return every argument, with a replica as `build_model`."""
        return {
            **super().get_config(),
            "build_model": keras.saving.serialize_keras_object(
                self.replicas[0]
            ),
            "replicas": len(self.replicas),
            "coupling": self.coupling,
            "growth": self.growth,
            "schedule": self.schedule,
            "central_replica": self.central_replica,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> Any:
        """Rebuild the networks, with new weights."""
        config = dict(config)
        network = config.pop("build_model")

        def build_model() -> keras.Model:
            # Keras takes parts out of the config of a functional model.
            copied = copy.deepcopy(network)
            return keras.saving.deserialize_keras_object(copied)

        return cls(build_model, **config)


def _mean(variables: Any) -> Tensor:
    """Average of float variables; of others the first value."""
    values = [ops.convert_to_tensor(v) for v in variables]
    dtype = keras.backend.standardize_dtype(values[0].dtype)
    if not keras.backend.is_float_dtype(dtype):
        return values[0]
    return sum(values) / len(values)


def _square(x: Tensor) -> Tensor:
    return ops.sum(ops.square(ops.cast(x, "float32")))
