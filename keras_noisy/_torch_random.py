"""The random state of PyTorch, which is not part of a model."""

import contextlib
import sys
from collections.abc import Iterator

import keras
import numpy as np


def random_state() -> list[tuple[str, np.ndarray]]:
    """State of each device; a `Dropout` without a seed draws from it."""
    if keras.backend.backend() != "torch":
        return []
    torch = sys.modules["torch"]
    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return [(f"device {i}", state.numpy()) for i, state in enumerate(states)]


def set_random_state(states: list[tuple[str, np.ndarray]]) -> None:
    """Restore the states that `random_state` returned, maybe elsewhere."""
    if keras.backend.backend() != "torch":
        return
    for i, (_, state) in enumerate(states):
        torch = sys.modules["torch"]
        if i == 0:
            torch.set_rng_state(torch.from_numpy(state))
        elif i <= torch.cuda.device_count():
            torch.cuda.set_rng_state(torch.from_numpy(state), i - 1)


@contextlib.contextmanager
def same_random_state() -> Iterator[None]:
    """Undo the draws of a `DataLoader`, which Keras makes to predict too."""
    torch = sys.modules.get("torch")  # it may load data on any backend
    if torch is None:
        yield
        return
    devices = []
    if torch.cuda.is_initialized():
        devices = [torch.cuda.current_device()]
    with torch.random.fork_rng(devices):
        yield
