"""How the coupling of replicas grows from epoch to epoch."""

from __future__ import annotations

import math

import keras

#: Factor of the coupling after a share of all epochs.
SCHEDULES = {
    "exponential": lambda share, growth: growth**share,
    "linear": lambda share, growth: 1 + (growth - 1) * share,
    "cosine": lambda share, growth: (
        1 + (growth - 1) * (1 - math.cos(math.pi * share)) / 2
    ),
}


class Growth(keras.callbacks.Callback):
    """Sets the coupling factor of the model, and logs the coupling."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the factor of this epoch."""
        model = self.model
        share = epoch / self.params["epochs"]
        factor = SCHEDULES[model.schedule](share, model.growth)
        model.coupling_factor.assign(factor)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log the coupling."""
        if logs is not None:
            logs["coupling"] = self.model.current_coupling()
