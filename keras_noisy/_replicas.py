"""Replicas and processes, each with its own part of the batch."""

from __future__ import annotations

import sys
from typing import Any

import keras

Tensor = Any


def _replica() -> Any:
    """TensorFlow's replica context; JAX sees the whole batch anyway."""
    if keras.backend.backend() != "tensorflow":
        return None
    return sys.modules["tensorflow"].distribute.get_replica_context()


def device_count() -> int:
    """The number of devices that TensorFlow divides a loss by, else 1."""
    if keras.backend.backend() != "tensorflow":
        return 1
    distribute = sys.modules["tensorflow"].distribute
    return distribute.get_strategy().num_replicas_in_sync


def part_count() -> int:
    """Number of processes or devices that each have a part of the batch."""
    context = _replica()
    if context is not None:
        return context.num_replicas_in_sync
    if keras.backend.backend() == "torch":
        distributed = sys.modules["torch"].distributed
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_world_size()
    return 1


def of_all_replicas(x: Tensor) -> Tensor:
    """Rows of the whole batch, even if each TensorFlow replica has a part."""
    found = _replica()
    if found is None or found.num_replicas_in_sync == 1:
        return x
    return found.all_gather(x, axis=0)
