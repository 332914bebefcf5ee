"""Evaluate and save the center of a walk instead of the walk itself."""

from __future__ import annotations

from typing import Any

import keras


class EvaluateCenter(keras.callbacks.Callback):
    """Shows the center of the walk of `EntropySGD` at the end of each epoch.

    Use it if the number of steps of an epoch is not a multiple of
    `inner_steps`: Keras then validates in the middle of a walk. The center
    replaces the weights until the next epoch, in which the walk continues, so
    training does not change. Put it before the callbacks that evaluate or
    save, such as `ModelCheckpoint` and `Resume`.

    Returns:
        A `keras.callbacks.Callback`.

    Raises:
        ValueError: In `fit`, if the optimizer is not an `EntropySGD`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.callbacks import EvaluateCenter
    >>> from keras_noisy.optimizers import EntropySGD
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> model.compile(EntropySGD(inner_steps=4), "mse")
    >>> x, y = np.ones((48, 4)), np.ones((48, 3))  # six batches
    >>> history = model.fit(
    ...     x, y, batch_size=8, verbose=0, callbacks=[EvaluateCenter()]
    ... )

    References:
        - Chaudhari et al., Entropy-SGD: biasing gradient descent into wide
          valleys, ICLR 2017, arXiv 1611.01838
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Check that there is a center."""
        if not centered(self.model):
            raise ValueError(
                "Expected a model with the optimizer `EntropySGD`. Leave "
                "`EvaluateCenter` out with others. Received: "
                f"{type(self.model.optimizer).__name__}"
            )
        self._trains = True

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Continue the walk."""
        show_walk(self.model)

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Show the center, if this is the validation of `fit`."""
        if getattr(self, "_trains", False):
            show_center(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show the center to the callbacks after this one."""
        show_center(self.model)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Leave later evaluations alone."""
        self._trains = False


def optimizers_in(optimizer: Any) -> list[Any]:
    """The optimizer, or those inside a loss scaler or a `MultiOptimizer`."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "optimizers", [optimizer])


def centered(model: keras.Model) -> list[Any]:
    """The optimizers of a model that have a center."""
    found = optimizers_in(model.optimizer)
    return [each for each in found if hasattr(each, "show_center")]


def show_center(model: keras.Model) -> None:
    """Set the weights to the center, if an optimizer has one."""
    for optimizer in centered(model):
        optimizer.show_center()


def show_walk(model: keras.Model) -> None:
    """Set the weights back to where the walk was."""
    for optimizer in centered(model):
        optimizer.show_walk()
