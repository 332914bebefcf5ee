"""A pass-through layer that counts the training batches."""

from __future__ import annotations

from typing import Any

import keras

from keras_noisy.layers.loss_state import PassThrough, value

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class StepCounter(PassThrough):
    """Counts the training batches for a loss that depends on them.

    `SPLC` creates this layer as its `counter`, and
    `outputs = loss.connect(outputs)` puts it into the model. It returns its
    inputs unchanged. As the count is a weight of the model, the compiled step
    is traced once, and a saved or resumed model continues where it stopped. To
    deploy a model without the layer, save
    `keras_noisy.layers.without_state(model)`.

    Args:
        key: Text by which a loss finds the layer when a model is loaded.
            Defaults to `None`, a new key.
        **kwargs: Arguments of `keras.layers.Layer`.

    Returns:
        When called, its inputs.

    Raises:
        ValueError: If an argument is not an argument of a layer.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import StepCounter
    >>> counter = StepCounter()
    >>> outputs = counter(np.zeros((2, 3)), training=True)
    >>> int(counter.steps)
    1

    References:
        - Zhang et al., Simple and robust loss design for multi-label learning
          with missing labels, Preprint 2021, arXiv 2112.07368
    """

    role = "`start=`"

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weight."""
        self.steps = self._add_state("steps")

    def begin_step(self) -> None:
        """Count a training step."""
        self.steps.assign_add(1.0)

    def count(self) -> Tensor:
        """Number of batches so far, of shape ()."""
        self.check_built()
        return value(self.steps)
