"""The devices that share the loss of a batch."""

from __future__ import annotations

import sys

import keras


def device_count() -> int:
    """The number of devices that TensorFlow divides a loss by, else 1."""
    if keras.backend.backend() != "tensorflow":
        return 1
    distribute = sys.modules["tensorflow"].distribute
    return distribute.get_strategy().num_replicas_in_sync
