"""A pass-through layer that keeps numbers for each training sample."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import choice, integer
from keras_noisy._replicas import device_count, of_all_replicas
from keras_noisy.layers.loss_state import PassThrough, value

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SampleMemory(PassThrough):
    """Keeps numbers for each training sample, for a loss with memory.

    Losses such as `ELR` create this layer as their `memory`, and
    `outputs = loss.connect(outputs)` puts it into the model. It returns its
    inputs unchanged and owns the state of the loss as non-trainable weights, so
    that training steps update it and a saved model contains it. Each state has
    `num_samples * num_classes` float32 numbers, and a training step of
    TensorFlow or PyTorch copies them once. Only finite numbers are remembered.
    To deploy a model without them, save
    `keras_noisy.layers.without_state(model)`.

    Args:
        num_samples: Number of training samples, an integer of at least 1.
        initializers: Name and initializer of each state. A state has a number
            per sample and class, or one per sample if its name ends in
            `"_per_sample"`.
        key: Text by which a loss finds its memory when a model is loaded.
            Defaults to `None`, a new key.
        **kwargs: `num_classes`, if the inputs do not show it, and the
            arguments of `keras.layers.Layer`.

    Returns:
        When called, its inputs.

    Raises:
        ValueError: If `num_samples` is not a positive integer.

    Example:

    >>> import keras
    >>> from keras_noisy.losses import ELR
    >>> elr = ELR(num_samples=1000)
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(10, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, elr.connect(outputs))
    >>> tuple(elr.memory.state("targets").shape)
    (1001, 10)

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    def __init__(
        self,
        num_samples: int,
        initializers: dict[str, Any],
        key: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(key, **kwargs)
        self.num_samples = integer("num_samples", num_samples, 1)
        self.initializers = {
            name: keras.initializers.get(initializer)
            for name, initializer in initializers.items()
        }
        self._states: dict[str, keras.Variable] = {}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the states, for the number of classes of the inputs."""
        num_classes = self.num_classes or input_shape[-1]
        for name, initializer in self.initializers.items():
            width = 1 if name.endswith("_per_sample") else num_classes
            self._states[name] = self._add_state(
                name,
                # One scratch row, for the samples that are left out.
                (self.num_samples + 1, width),
                initializer,
                # Each replica writes the rows of all replicas.
                "only_first_replica",
            )

    def state(self, name: str) -> keras.Variable:
        """A state, of shape (num_samples + 1, num_classes or 1).

        The last row is shared by all samples that are left out.

        Args:
            name: Its name, one of `initializers`.

        Returns:
            A `keras.Variable`.

        Raises:
            ValueError: If there is no such state, or no model has called the
                layer.
        """
        self.check_built()
        return self._states[choice("name", name, self._states)]

    def rows(self, name: str, index: Tensor) -> Tensor:
        """The state of the samples of a batch.

        Args:
            name: Its name.
            index: Row of each sample, integers of shape `(N,)`.

        Returns:
            A tensor of shape `(N, num_classes or 1)`.
        """
        return ops.take(value(self._states[name]), index, 0)

    def write(self, name: str, index: Tensor, rows: Tensor) -> None:
        """Replace the state of the samples of a batch, on every device.

        Rows that are not finite are left out, as they would stay forever.

        Args:
            name: Its name.
            index: Row of each sample, integers of shape `(N,)`.
            rows: The new state, of shape `(N, num_classes or 1)`.
        """
        index, rows = of_all_replicas(index), of_all_replicas(rows)
        rows = ops.stop_gradient(ops.cast(rows, "float32"))
        finite = ops.all(ops.isfinite(rows), axis=-1)
        index = ops.where(finite, index, self.num_samples)
        rows = ops.where(finite[:, None], rows, 0.0)
        state = self._states[name]
        state.assign(ops.scatter_update(state, index[:, None], rows))

    def batch_size(self, x: Tensor) -> Tensor:
        """Number of samples of a batch on all replicas, as a float."""
        return ops.cast(device_count() * ops.shape(x)[0], x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "initializers": {
                name: keras.initializers.serialize(initializer)
                for name, initializer in self.initializers.items()
            },
        }
