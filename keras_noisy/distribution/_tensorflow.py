"""Several devices and hosts with TensorFlow."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any

import keras

from keras_noisy._arguments import invalid
from keras_noisy.distribution._devices import chosen
from keras_noisy.distribution.processes import process_count


@contextlib.contextmanager
def connected(devices: Any, count: int) -> Iterator[int]:
    """Train on these devices; yields their number."""
    distribute = sys.modules["tensorflow"].distribute
    if distribute.has_strategy():
        strategy = distribute.get_strategy()
        if devices is not None:
            # TensorFlow rejects a strategy inside another one.
            raise invalid(
                "devices", devices, "None inside of another `data_parallel`"
            )
    elif count > 1:
        strategy = _multi_worker_strategy()
    else:
        names = chosen(devices, _available(devices is None))
        if devices is None and len(names) == 1:
            yield 1  # A strategy of one device is slower than none.
            return
        strategy = _mirrored_strategy(tuple(names))
    with strategy.scope():
        yield strategy.num_replicas_in_sync


@functools.cache
def _mirrored_strategy(names: tuple[str, ...]) -> Any:
    """One for the whole process.

    Collective operations of a second one on these devices would have the
    numbers of the first, and fail where shapes differ.
    """
    return sys.modules["tensorflow"].distribute.MirroredStrategy(names)


def _multi_worker_strategy() -> Any:
    tf: Any = sys.modules["tensorflow"]

    class Strategy(tf.distribute.MultiWorkerMirroredStrategy):
        """Accepts the arguments of `fit` of Keras 3.15 in several processes."""

        def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
            if isinstance(value, (tuple, list, dict)):
                # Keras reads only the shapes of this batch.
                return tf.nest.map_structure(
                    lambda part: self.experimental_local_results(part)[0],
                    value,
                )
            # Logs are scalars, which have no first axis.
            return super().reduce(reduce_op, value, axis=None)

    strategy = Strategy()
    if strategy.num_replicas_in_sync > process_count():
        # Each GPU would read a whole batch of the process.
        raise ValueError(
            "In several processes TensorFlow takes one GPU in each. Start a "
            "process for each GPU, with its own CUDA_VISIBLE_DEVICES and its "
            "own place in TF_CONFIG"
        )
    return strategy


def _available(of_one_kind: bool) -> list[str]:
    """The GPUs, or else the CPUs, if of one kind as in TensorFlow; or both."""
    config = sys.modules["tensorflow"].config
    kinds = [config.list_logical_devices(kind) for kind in ("GPU", "CPU")]
    found = kinds[0] or kinds[1] if of_one_kind else [*kinds[0], *kinds[1]]
    return [device.name.removeprefix("/device:") for device in found]


@contextlib.contextmanager
def training(model: keras.Model) -> Iterator[None]:
    """The strategy needs nothing else."""
    yield


def data(given: Any) -> Any:
    """The data of this process, which TensorFlow must not split again."""
    tf = sys.modules["tensorflow"]
    if given is None or isinstance(given, tf.distribute.DistributedDataset):
        return given
    if not isinstance(given, tf.data.Dataset):
        raise ValueError(
            "In several processes TensorFlow needs data from "
            "`keras_noisy.datasets.pipeline` with `shard=parallel.shard`, or "
            "another tf.data.Dataset with the part of this process. Received: "
            f"{type(given)}"
        )
    strategy = tf.distribute.get_strategy()
    return strategy.distribute_datasets_from_function(lambda context: given)
