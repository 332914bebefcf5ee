"""Several devices and hosts with PyTorch, one process for each device."""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Iterator
from typing import Any

import keras

from keras_noisy._arguments import invalid


@contextlib.contextmanager
def connected(devices: Any, count: int) -> Iterator[int]:
    """Train in the processes that torchrun started; yields their number."""
    if count == 1:
        if devices not in (None, 1) or isinstance(devices, bool):
            raise invalid(
                "devices",
                devices,
                "None: on PyTorch every device has its own process, started "
                "by `torchrun --nproc-per-node=<devices> <script>`",
            )
        yield 1
        return
    torch = sys.modules["torch"]
    is_first = not torch.distributed.is_initialized()
    if is_first:
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group(
            "nccl" if on_gpu else "gloo",
            timeout=datetime.timedelta(minutes=10),
        )
    yield count
    if is_first:
        torch.distributed.destroy_process_group()


@contextlib.contextmanager
def training(model: keras.Model) -> Iterator[None]:
    """Give the model steps that all processes take together."""
    from keras_noisy.distribution._torch_steps import Steps

    if "train_step" in vars(model):  # An evaluation inside `fit`.
        yield
        return
    steps = Steps(model)
    methods = ("train_step", "test_step", "get_metrics_result")
    for name in methods:
        setattr(model, name, getattr(steps, name))
    _forget_steps(model)
    try:
        yield
    finally:
        for name in methods:
            delattr(model, name)
        _forget_steps(model)
    steps.finish()


def _forget_steps(model: keras.Model) -> None:
    """Let `fit` and `evaluate` use the current steps of the model.

    Keras 3.16 otherwise keeps the first ones that it used.
    """
    model.make_train_function(force=True)
    model.make_test_function(force=True)


def data(given: Any) -> Any:
    """Data for `fit`, unchanged."""
    return given
