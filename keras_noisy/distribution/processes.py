"""The place of this process among those that train together."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import keras

_each_alone = False


def process_index() -> int:
    """Number of this process among those that train together, from 0.

    It reads the variables that the launcher sets, see `docs/distribution.md`,
    and starts nothing. It works inside and outside `data_parallel`.

    Returns:
        An integer from 0 to `process_count() - 1`; 0 is the chief, which
        writes logs and files.

    Raises:
        ValueError: If the task in `TF_CONFIG` is not a chief or worker of its
            cluster.

    Example:

    >>> from keras_noisy.distribution import process_index
    >>> process_index()
    0
    """
    return _place()[0]


def process_count() -> int:
    """Number of processes that train together.

    It reads the variables that the launcher sets, see `docs/distribution.md`,
    and starts nothing. It works inside and outside `data_parallel`.

    Returns:
        An integer, 1 for a process that trains alone.

    Raises:
        ValueError: If the task in `TF_CONFIG` is not a chief or worker of its
            cluster.

    Example:

    >>> from keras_noisy.distribution import process_count
    >>> process_count()
    1
    """
    return _place()[1]


@contextlib.contextmanager
def each_alone(alone: bool) -> Iterator[None]:
    """Set whether each of several processes would train alone."""
    global _each_alone
    before, _each_alone = _each_alone, alone
    try:
        yield
    finally:
        _each_alone = before


def check_together(y_pred: Any) -> None:
    """Raise an error if a loss would train one of several processes alone."""
    if not _each_alone:
        return
    if keras.backend.backend() == "tensorflow":
        is_step = not sys.modules["tensorflow"].executing_eagerly()
    else:
        is_step = getattr(y_pred, "requires_grad", False)
    if is_step:
        raise ValueError(
            "Expected `parallel.fit(model, ...)` or `parallel.evaluate(model, "
            "...)` in several processes, which then take each step together. "
            "Received: a step of `model.fit` or of your own loop, in which "
            "each process would train alone"
        )


def _place() -> tuple[int, int]:
    return {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}[
        keras.backend.backend()
    ]()


def _jax() -> tuple[int, int]:
    jax = sys.modules["jax"]
    if jax.distributed.is_initialized():
        return jax.process_index(), jax.process_count()
    return (
        int(os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", 0)),
        int(os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", 1)),
    )


def _tensorflow() -> tuple[int, int]:
    given = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(given)
        tasks = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(config.get("cluster", {}).get(kind, ())))
        ]
        if not tasks:
            return 0, 1
        task = config["task"]["type"], int(config["task"]["index"])
        return tasks.index(task), len(tasks)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "Invalid value for the environment variable `TF_CONFIG`. Expected "
            '`{"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            '"worker", "index": 0}}` with the index of this process. Received: '
            f"TF_CONFIG={given}"
        ) from error


def _torch() -> tuple[int, int]:
    distributed = sys.modules["torch"].distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return (
        int(os.environ.get("RANK", 0)),
        int(os.environ.get("WORLD_SIZE", 1)),
    )
