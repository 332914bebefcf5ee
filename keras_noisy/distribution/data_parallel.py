"""One context manager for all backends."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import keras

from keras_noisy._arguments import integer, invalid
from keras_noisy.distribution import divisible
from keras_noisy.distribution.processes import (
    each_alone,
    process_count,
    process_index,
)

# Messages of JAX, TensorFlow and PyTorch if another process does not answer.
LOST = re.compile(
    r"connection (closed|reset)|closed by peer|heartbeat|collective ops? is"
    r"|gloo|nccl|socket closed|unhealthy|preempted|broken pipe|timed? ?out",
    re.IGNORECASE,
)


class DataParallel:
    """What a script must know about the devices that it trains on.

    `data_parallel` creates it. It is valid inside the `with` block.

    Args:
        num_devices: Number of devices in all processes.

    Returns:
        An object with `num_devices`, with `shard`, the number of this process
        and their count, or `None` for one process, and with `is_chief`,
        whether this process is the first.

    Raises:
        ValueError: If the data or their batches do not fit the devices.

    Example:

    >>> from keras_noisy.distribution import data_parallel
    >>> with data_parallel(devices=1) as parallel:
    ...     print(parallel.num_devices, parallel.shard, parallel.is_chief)
    ...     print(parallel.batch_size(128))
    1 None True
    128

    References:
        - Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1
          hour, 2017, arXiv 1706.02677
    """

    def __init__(self, num_devices: int):
        self.num_devices = num_devices
        index, self._count = process_index(), process_count()
        self.shard = (index, self._count) if self._count > 1 else None
        self.is_chief = index == 0

    def batch_size(self, global_batch_size: int) -> int:
        """Number of samples that this process reads for a step.

        Args:
            global_batch_size: Number of samples in a step on all devices, a
                multiple of `num_devices`.

        Returns:
            `global_batch_size` divided by the number of processes.

        Raises:
            ValueError: If `num_devices` does not divide it.
        """
        size = integer("global_batch_size", global_batch_size, 1)
        if size % self.num_devices:
            raise invalid(
                "global_batch_size",
                size,
                f"a multiple of the {self.num_devices} devices",
            )
        return size // self._count

    def fit(self, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Run `model.fit(*args, **kwargs)` in all processes together.

        Args:
            model: A compiled model, built inside the `with` block.
            *args: Arguments of `model.fit`.
            **kwargs: Arguments of `model.fit`.

        Returns:
            A `keras.callbacks.History`.

        Raises:
            ValueError: If a batch does not split evenly, or the data or the
                model cannot be shared by the processes of this backend.
        """
        return self._together(model, "fit", args, kwargs)

    def evaluate(self, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Run `model.evaluate(*args, **kwargs)` in all processes together.

        Args:
            model: A compiled model, built inside the `with` block.
            *args: Arguments of `model.evaluate`.
            **kwargs: Arguments of `model.evaluate`.

        Returns:
            What `model.evaluate` returns.

        Raises:
            ValueError: As `fit` does.
        """
        return self._together(model, "evaluate", args, kwargs)

    def _together(
        self, model: keras.Model, method: str, args: tuple, kwargs: dict
    ) -> Any:
        run = getattr(model, method)
        if self._count == 1 and divisible.parts() == 1:
            return run(*args, **kwargs)
        given = inspect.signature(run).bind(*args, **kwargs)
        divisible.check(given.arguments)
        if self._count == 1:
            return run(*args, **kwargs)
        if not self.is_chief:
            given.arguments["verbose"] = 0
        backend = _backend()
        for name in ("x", "validation_data"):
            if name in given.arguments:
                given.arguments[name] = backend.data(given.arguments[name])
        with each_alone(False), backend.training(model):
            return run(*given.args, **given.kwargs)


@contextlib.contextmanager
def data_parallel(
    devices: int | Sequence[str] | None = None,
) -> Iterator[DataParallel]:
    """Train on several devices and hosts, each with a part of every batch.

    Build, compile and fit the model inside the context; the code is the same
    for one device. JAX uses `keras.distribution.DataParallel`, after
    `keras.distribution.initialize` if `KERAS_DISTRIBUTION_NUM_PROCESSES`
    is above 1. TensorFlow uses `tf.distribute.MirroredStrategy`, or
    `MultiWorkerMirroredStrategy` if `TF_CONFIG` is set. PyTorch uses
    `DistributedDataParallel` in the processes of `torchrun`.
    `docs/distribution.md` has the commands and the limits.

    In several processes, train and evaluate with `parallel.fit(model, ...)` and
    `parallel.evaluate(model, ...)`. All processes then take each step together,
    and only the chief shows progress; `model.fit` raises an error. Give each
    process its part of the data with
    `pipeline(..., parallel.batch_size(128), shard=parallel.shard)` or the
    same arguments of `ImageDataset`.

    Args:
        devices: Number of devices of this machine, or a list of their names
            such as `["gpu:0", "gpu:1"]`. Defaults to `None`, all of them.
            With several processes, each one uses all of its devices.

    Returns:
        A context manager. It yields a `DataParallel` with `num_devices`,
        `shard`, `batch_size(global_batch_size)`, `is_chief`,
        `fit(model, ...)` and `evaluate(model, ...)`.

    Raises:
        ValueError: If there are no such devices, or if the number of devices
            does not divide a batch.
        ConnectionError: In several processes, if another process is lost.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import MAEStar
    >>> from keras_noisy.datasets import ImageDataset
    >>> from keras_noisy.distribution import data_parallel
    >>> images, labels = np.zeros((64, 8, 8, 3), "uint8"), np.zeros(64, int)
    >>> with data_parallel() as parallel:
    ...     train = ImageDataset(
    ...         (images, labels),
    ...         parallel.batch_size(16),
    ...         training=True,
    ...         shard=parallel.shard,
    ...     )
    ...     layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
    ...     model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    ...     model.compile("sgd", MAEStar(10, from_logits=True))
    ...     history = parallel.fit(model, train, shuffle=False, verbose=0)
    >>> len(history.history["loss"])
    1

    References:
        - Li et al., PyTorch distributed: experiences on accelerating data
          parallel training, VLDB 2020, arXiv 2006.15704
    """
    count = process_count()
    if count > 1 and devices is not None:
        expected = f"None in {count} processes, which use all of their devices"
        raise invalid("devices", devices, expected)
    try:
        with _backend().connected(devices, count) as num_devices:
            if count == 1:
                yield DataParallel(num_devices)
            else:
                # JAX compiles one step for all devices in `model.fit` as well.
                with each_alone(keras.backend.backend() != "jax"):
                    yield DataParallel(num_devices)
    except Exception as error:
        explained = _explained(error, count)
        if explained is None:
            raise
        raise explained from error


def _backend() -> ModuleType:
    return importlib.import_module(
        f"keras_noisy.distribution._{keras.backend.backend()}"
    )


def _explained(error: Exception, count: int) -> Exception | None:
    """A clearer error for a backend error about devices, if it is one."""
    if type(error).__name__ == "IndivisibleError":
        return ValueError(
            "Expected batches, the last one too, whose size the number of "
            "devices divides. Use `parallel.batch_size`, and data whose last "
            "batch is complete or has such a size. The model may have lost "
            f"its weights: build it anew, or load a saved one. {error}"
        )
    of_backend = not isinstance(error, (ValueError, TypeError, LookupError))
    if count > 1 and of_backend and LOST.search(str(error)):
        return ConnectionError(
            f"Process {process_index()} of {count} lost another process, or "
            "they did different things; see their output and the output of "
            "the launcher. Run the same command again on every host: with "
            "`keras_noisy.callbacks.Resume` training continues from the last "
            f"save. The backend says: {error}"
        )
    return None
