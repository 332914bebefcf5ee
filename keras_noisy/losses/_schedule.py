"""A number of a loss that may follow the training steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real

Schedule = keras.optimizers.schedules.LearningRateSchedule


def scheduled(name: str, given: Any, high: float, alternative: str = "") -> Any:
    """A number in (0, high], or a schedule, also from its config."""
    if isinstance(given, dict):
        given = keras.saving.deserialize_keras_object(given)
    if isinstance(given, Schedule):
        return given
    expected = f" or a schedule of keras.optimizers.schedules{alternative}"
    closed = "high" if high < float("inf") else ""
    return real(name, given, 0, high, closed, expected)


def at(given: Any, step: Any) -> Any:
    """Its value at a training step."""
    if isinstance(given, Schedule):
        return ops.cast(given(step), "float32")
    return given
