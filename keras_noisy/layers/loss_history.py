"""A pass-through layer that keeps the losses of the last batches."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy._replicas import of_all_replicas
from keras_noisy.layers.loss_state import PassThrough, Reference, value

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class LossHistory(PassThrough):
    """Keeps the losses of the last samples, for a loss that follows them.

    `OGC` and `SmallLoss` create this layer as their `history`, and
    `outputs = loss.connect(outputs)` puts it into the model. It returns its
    inputs unchanged. As non-trainable weights it owns the queue of the last
    losses, the numbers fitted to it, and the number of training steps, so a
    saved or resumed model continues where it stopped. In a TensorFlow strategy
    and on JAX it sees the samples of all devices; each PyTorch process has its
    own queue. To deploy a model without the layer, save
    `keras_noisy.layers.without_state(model)`.

    Args:
        size: Number of losses that are kept, an integer of at least 1.
        start: Numbers that the loss uses until the queue is full, a list.
        update_every: Number of training steps from one fit to the next, an
            integer of at least 1. Defaults to `1`.
        key: Text by which a loss finds the layer when a model is loaded.
            Defaults to `None`, a new key.
        **kwargs: `num_classes`, if the inputs do not show it, and the
            arguments of `keras.layers.Layer`.

    Returns:
        When called, its inputs.

    Raises:
        ValueError: If `size` or `update_every` is not a positive integer.

    Example:

    >>> import keras
    >>> from keras_noisy.losses import OGC
    >>> loss = OGC(history_size=64)
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(10, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, loss.connect(outputs))
    >>> tuple(loss.history.queue.shape)
    (64,)

    References:
        - Ye et al., Optimized gradient clipping for noisy label learning,
          AAAI 2025, arXiv 2412.08941
    """

    role = "a history"

    def __init__(
        self,
        size: int,
        start: Sequence[float],
        update_every: int = 1,
        key: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(key, **kwargs)
        self.size = integer("size", size, 1)
        self.start = [float(number) for number in start]
        self.update_every = integer("update_every", update_every, 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights."""
        # Each replica writes the losses of all replicas.
        weight = functools.partial(
            self._add_state, aggregation="only_first_replica"
        )
        self.queue = weight("queue", (self.size,))
        self.filled = weight("filled")
        self.steps = weight("steps")
        self.fitted = weight("fitted", (len(self.start),), self._start)

    def _start(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        return ops.convert_to_tensor(self.start, dtype)

    def numbers(self) -> Tensor:
        """The numbers of the last fit, or those that the loss starts with."""
        self.check_built()
        return value(self.fitted)

    def step(self) -> Tensor:
        """Index of the current training step, or of the last one."""
        return ops.maximum(value(self.steps) - 1, 0.0)

    def observe(
        self,
        losses: Tensor,
        kept: Tensor,
        fit: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Add the finite losses of a training batch, of shape (N,).

        Args:
            losses: Losses of the samples.
            kept: Which of them count.
            fit: Function that computes new numbers from the queue, when due.
        """
        steps = value(self.steps) + 1
        self.steps.assign(steps)
        if fit is None:
            return
        losses = ops.stop_gradient(ops.cast(losses, "float32"))
        losses = of_all_replicas(ops.where(kept, losses, float("nan")))
        queue, count = self._pushed(losses, ops.isfinite(losses))
        filled = ops.minimum(value(self.filled) + count, float(self.size))
        self.queue.assign(queue)
        self.filled.assign(filled)
        last = value(self.fitted)
        due = ops.logical_and(
            filled >= self.size, steps % self.update_every == 0
        )
        self.fitted.assign(ops.cond(due, lambda: fit(queue), lambda: last))

    def _pushed(self, losses: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """The queue with the losses that count, and their number."""
        # Losses that count move to the front, others to a scratch place.
        rank = ops.cumsum(ops.cast(kept, "int32"))
        size = ops.shape(losses)[0]
        place = ops.where(kept, rank - 1, size)
        front = ops.scatter_update(
            ops.zeros((size + 1,), "float32"), place[:, None], losses
        )
        count = ops.sum(ops.cast(kept, "int32"))
        places = ops.arange(self.size, dtype="int32") + count
        longer = ops.concatenate([value(self.queue), front])
        return ops.take(longer, places), ops.cast(count, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "size": self.size,
            "start": self.start,
            "update_every": self.update_every,
        }


def history_of_loss(
    size: int, start: Sequence[float], update_every: int, key: str | None
) -> Reference[LossHistory]:
    """The layer of a loaded model with the key of a loss, or else a new one."""
    found = LossHistory.without_loss(key)
    if found and found.size != size:
        raise invalid(
            "history_size",
            size,
            f"{found.size}, as the layer of the loaded model has. For another "
            "size leave `history_key` out",
        )
    return Reference(found or LossHistory(size, start, update_every, key))
