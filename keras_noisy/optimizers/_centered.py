"""Base of an optimizer whose weights walk around a center."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class Centered(keras.optimizers.Optimizer):
    """Counts the steps of walks, and swaps weights and centers.

    A subclass sets `inner_steps` and keeps a list `centers`.
    """

    inner_steps: int
    centers: Sequence[keras.Variable | None] = ()

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the counters."""
        super().build(variables)
        # Keras would track a list attribute as variables of the optimizer.
        self._weights = lambda: variables
        #: Finished steps of the current walk.
        self.position = self._number("position")
        #: Finished walks.
        self.outer_iterations = self._number("outer_iterations")
        #: Whether weights and centers are swapped.
        self.is_center_shown = self._number("is_center_shown")

    def _number(self, name: str, dtype: str = "int32") -> keras.Variable:
        return self.add_variable(
            (), dtype=dtype, name=name, aggregation="only_first_replica"
        )

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Any = None
    ) -> None:
        """Take a step of the walk; the last one also moves the weights."""
        if any(gradient is None for gradient in grads):
            raise ValueError(
                "Expected a gradient for every trainable weight. Set "
                "`trainable = False` for layers that the loss does not "
                "depend on"
            )
        before = ops.cast(ops.copy(self.iterations), "int32")
        super().apply(grads, trainable_variables)
        # With gradient accumulation most calls only collect gradients.
        moved = ops.cast(self.iterations, "int32") - before
        position = self._current_position() + moved
        done = ops.cast(position >= max(self.inner_steps, 1), "int32")
        shown = ops.convert_to_tensor(self.is_center_shown) * (1 - moved)
        self.position.assign(position * (1 - done))
        self.outer_iterations.assign_add(done)
        self.is_center_shown.assign(shown)

    def _current_position(self) -> Tensor:
        """Finished steps of the walk; 0 if the center is shown."""
        shown = ops.convert_to_tensor(self.is_center_shown)
        return ops.convert_to_tensor(self.position) * (1 - shown)

    def show_center(self) -> None:
        """Put the center of the walk into the weights, to evaluate it.

        Between two walks this does nothing, since the weights are the center.
        The next training step begins a new walk, unless `show_walk` is called.
        """
        if not self.built or not self.inner_steps or self._is_shown():
            return
        if int(ops.convert_to_numpy(self.position)):
            self._exchange()
            self.is_center_shown.assign(1)

    def show_walk(self) -> None:
        """Restore the weights that `show_center` replaced."""
        if self.built and self._is_shown():
            self._exchange()
            self.is_center_shown.assign(0)

    def _is_shown(self) -> bool:
        return bool(ops.convert_to_numpy(self.is_center_shown))

    def _exchange(self) -> None:
        for weight, center in zip(self._weights(), self.centers, strict=True):
            if center is None:
                continue
            value = ops.convert_to_numpy(ops.copy(weight))
            weight.assign(ops.convert_to_numpy(ops.copy(center)))
            center.assign(value)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Leave the center in the weights at the end of `fit`."""
        super().finalize_variable_values(var_list)
        self.show_center()
