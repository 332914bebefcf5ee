"""Weights whose norm slowly falls."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid, real


class WeightNorm(keras.callbacks.Callback):
    """Slowly reduces the norm of the weights while a network trains.

    With cross-entropy, a network that fits its data keeps growing its weights,
    which makes it more confident and its minimum narrower. A slowly falling
    norm leads to wide minima instead. Only the abstract of the paper says so;
    the method is our reading of it. Before each epoch, all kernels (trainable
    weights with two axes or more) are multiplied by one number if their norm
    is above the norm of the epoch.

    The norm of a kernel before a normalization does not change the outputs; a
    smaller norm has the effect of larger steps there.

    Formula:

    ```
    norm = start * (end / start)**min(epoch / (epochs - 1), 1)
    w = w * min(1, norm / |w|)     # |w| over all kernels
    ```

    Args:
        end: Norm of the last epoch, above 0.
        start: Norm of the first epoch, above 0. Defaults to `None`, the norm
            of the kernels when training begins at epoch 0.
        epochs: Number of epochs, the last of which has the norm `end`; an
            integer of at least 1. Defaults to `None`, the number of epochs of
            `fit`.

    Returns:
        A `keras.callbacks.Callback`, which logs `weight_norm`, the norm of the
        kernels at the end of the epoch.

    Raises:
        ValueError: If an argument is outside its range; in `fit`, if the model
            has no kernel; or, without `start`, if all kernels are 0 or a run
            continues at a later epoch.

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
        """Forget the norm of an earlier `fit`."""
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
            if norm == 0:
                expected = "a positive number, as all kernels begin at 0"
                raise invalid("start", None, expected)
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
