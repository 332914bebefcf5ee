"""Weights that slowly get smaller."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid, real


class WeightNorm(keras.callbacks.Callback):
    """Slowly reduces the norm of the weights while a network trains.

    Under cross-entropy a network that fits its data goes on by growing its
    weights, which makes it surer and its minimum narrower. A norm that falls
    slowly leads to wide minima instead. The paper says so in its abstract
    alone; how to do it is our reading. Before each epoch all kernels, which
    are the trainable weights of two axes or more, are multiplied by one
    number, if their norm is above that of the epoch.

    Kernels in front of a normalization do not change the outputs by their
    norm; there a smaller norm makes larger steps.

    Formula:

    ```
    norm = start * (end / start)**min(epoch / (epochs - 1), 1)
    w = w * min(1, norm / |w|)     # |w| over all kernels
    ```

    Args:
        end: Norm of the last epoch, above 0.
        start: Norm of the first epoch, above 0. Defaults to `None`, that of
            the kernels when training begins at epoch 0.
        epochs: Number of epochs to reach `end` in, an integer of at least 1.
            Defaults to `None`, those of `fit`.

    Returns:
        A `keras.callbacks.Callback`, which logs `weight_norm`, that of the
        kernels at the end of the epoch.

    Raises:
        ValueError: If an argument is outside its range; in `fit`, if the model
            has no kernel, or a run goes on at a later epoch without `start`,
            which only its first epoch knows.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import CrossEntropy
    >>> from keras_noisy.callbacks import WeightNorm
    >>> softmax = keras.layers.Dense(3, activation="softmax")
    >>> model = keras.Sequential([keras.Input((4,)), softmax])
    >>> model.compile(keras.optimizers.SGD(0.0), CrossEntropy())
    >>> x, y = np.ones((8, 4)), np.zeros(8, int)
    >>> history = model.fit(
    ...     x, y, epochs=3, verbose=0, callbacks=[WeightNorm(0.1)]
    ... )
    >>> print(round(history.history["weight_norm"][-1], 4))
    0.1

    References:
        - Baldassi, Pittorino, Zecchina, Shaping the learning landscape in
          neural networks around wide flat minima, PNAS 2020, arXiv 1905.07833
    """

    def __init__(
        self, end: float, start: float | None = None, epochs: int | None = None
    ):
        super().__init__()
        self.end = real("end", end, 0)
        self.start = None if start is None else real("start", start, 0)
        self.epochs = None if epochs is None else integer("epochs", epochs, 1)
        self._start = self.start

    def _kernels(self) -> list[keras.Variable]:
        weights = self.model.trainable_variables
        kernels = [w for w in weights if len(w.shape) > 1]
        if not kernels:
            raise ValueError(
                "Expected a model with a trainable weight of two axes or more. "
                "Leave `WeightNorm` out"
            )
        return kernels

    def _norm(self) -> float:
        squares = [
            np.sum(np.square(ops.convert_to_numpy(w).astype("float64")))
            for w in self._kernels()
        ]
        return float(np.sqrt(sum(squares)))

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forget the norm of another `fit`."""
        self._start = self.start

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Shrink the kernels to the norm of this epoch."""
        norm = self._norm()
        if self._start is None:
            if epoch:
                raise invalid(
                    "start",
                    None,
                    "the norm that the first epoch began with, for a run that "
                    f"goes on at epoch {epoch}",
                )
            self._start = norm
        epochs = self.epochs or self.params["epochs"]
        share = min(epoch / (epochs - 1), 1.0) if epochs > 1 else 1.0
        wanted = self._start * (self.end / self._start) ** share
        if norm > wanted:
            for kernel in self._kernels():
                kernel.assign(ops.convert_to_numpy(kernel) * (wanted / norm))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log the norm."""
        if logs is not None:
            logs["weight_norm"] = self._norm()
