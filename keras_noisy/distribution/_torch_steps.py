"""Steps of a Keras model that several PyTorch processes take together."""

from __future__ import annotations

import contextlib
import datetime
import zlib
from collections.abc import Iterator
from typing import Any

import keras
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

# The next action of a process, which is compared with the other processes.
START, TRAIN, EPOCH_END, EVALUATION_END, END = range(5)
DIFFERENCES = {
    START: "Expected the same model in every process, but the shapes of its "
    "weights differ.",
    TRAIN: "Expected batches of one size in every process, such as those of "
    "`pipeline(..., training=True, shard=parallel.shard)`, which drops an "
    "incomplete batch.",
    EPOCH_END: "Expected as many batches in every process, such as those of "
    "`pipeline(..., training=True, shard=parallel.shard)`. Some processes "
    "continue (1) while others are at the end of an epoch (2), of an "
    "evaluation (3) or of training (4).",
    END: "Expected the same weights in every process after training. A "
    "callback that changes them, or the learning rate, must run in every "
    "process.",
}


class Steps:
    """The steps of one `fit` or `evaluate`, which replace those of the model.

    DistributedDataParallel gives the gradients of the global batch. Metrics
    are summed over all processes, so callbacks decide the same in each.
    Counts and averages that layers keep are averaged.
    """

    def __init__(self, model: keras.Model):
        for name in ("train_step", "test_step"):
            if getattr(type(model), name) is not getattr(keras.Model, name):
                raise ValueError(
                    f"{type(model).__name__} has a `{name}` of its own, which "
                    "several PyTorch processes cannot share. Change "
                    "`compute_loss` instead"
                )
        if model.jit_compile:
            raise ValueError(
                "In several processes PyTorch needs "
                "`model.compile(jit_compile=False)`"
            )
        self.model = model
        self.replica: Any = None
        self.count = distributed.get_world_size()
        self._is_started, self._stepping = False, False
        self._unfinished: int | None = None
        # This group is on the CPU, so no step waits for the GPU.
        self.control = distributed.new_group(
            backend="gloo", timeout=datetime.timedelta(minutes=10)
        )

    def train_step(self, data: Any) -> dict[str, Any]:
        """Train on the batches of all processes."""
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with self._training(_size(x)):
            y_pred = self.replica(x, training=True)
            model.zero_grad()
            loss = model.compute_loss(x, y, y_pred, sample_weight, True)
            self._track(loss, x)
            model.optimizer.scale_loss(loss).backward()
            weights = model.trainable_weights
            gradients = [weight.value.grad for weight in weights]
            with torch.no_grad():
                model.optimizer.apply(gradients, weights)
            model.compute_metrics(x, y, y_pred, sample_weight)
        return _results(model)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate the batch of this process."""
        model = self.model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        self._start()
        self._unfinished = EVALUATION_END
        self._stepping = True
        y_pred = model(x, training=False)
        loss = model.compute_loss(x, y, y_pred, sample_weight, False)
        self._track(loss, x)
        logs = model.compute_metrics(x, y, y_pred, sample_weight)
        self._stepping = False
        return logs

    def get_metrics_result(self) -> dict[str, Any]:
        """Metrics, summed over all processes at the end of an epoch."""
        if self._unfinished is not None and not self._stepping:
            ended, self._unfinished = self._unfinished, None
            self._compare(ended)
            if ended == EVALUATION_END:
                _reduce(self.model.metrics_variables, [])
        return _results(self.model)

    def finish(self) -> None:
        """Check that every process has the same weights."""
        if self._is_started:
            checksum = sum(
                int(_bytes(variable).sum(dtype=torch.int64))
                for variable in self.model.weights
            )
            self._compare(END, checksum)
        distributed.destroy_process_group(self.control)

    @contextlib.contextmanager
    def _training(self, size: int) -> Iterator[None]:
        """A step that combines metrics and states over all processes."""
        self._start()
        if self.replica is None:
            self.replica = DistributedDataParallel(self.model)
        self._compare(TRAIN, size)
        self._unfinished = EPOCH_END
        model = self.model
        metrics = model.metrics_variables
        before = [variable.value.clone() for variable in metrics]
        for variable in metrics:
            variable.assign(torch.zeros_like(variable.value))
        is_float = keras.backend.is_float_dtype
        states = [v for v in model.non_trainable_weights if is_float(v.dtype)]
        versions = [state.value._version for state in states]
        self._stepping = True
        yield
        self._stepping = False
        # Leave out frozen layers, as there can be many.
        changed = [
            state
            for state, version in zip(states, versions, strict=True)
            if state.value._version != version
        ]
        if any(s.aggregation == "only_first_replica" for s in changed):
            raise ValueError(
                "Losses with memory cannot be trained in several processes of "
                "PyTorch. Use one process, or JAX or TensorFlow"
            )
        _reduce(metrics, changed)
        for variable, value in zip(metrics, before, strict=True):
            variable.assign(variable.value + value)

    def _start(self) -> None:
        """Start all processes with the weights of the first one."""
        if self._is_started:
            return
        model = self.model
        variables = [*model.variables, *model.optimizer.variables]
        shapes = [tuple(variable.shape) for variable in variables]
        self._compare(START, zlib.crc32(repr(shapes).encode()))
        for variable in variables:
            distributed.broadcast(_bytes(variable), 0)
        self._is_started = True

    def _track(self, loss: torch.Tensor, x: Any) -> None:
        for metric in self.model.metrics:
            if metric.name == "loss":
                metric.update_state(loss.detach(), sample_weight=_size(x))
                return

    def _compare(self, doing: int, number: int = 0) -> None:
        """Raise an error in all processes if they differ."""
        mine = torch.tensor([doing, number])
        every = [torch.zeros_like(mine) for _ in range(self.count)]
        distributed.all_gather(every, mine, group=self.control)
        if all(torch.equal(other, mine) for other in every):
            return
        same = len({int(other[0]) for other in every}) == 1
        raise ValueError(
            f"{DIFFERENCES[doing if same else EPOCH_END]} Received, by "
            f"process: {[int(other[1 if same else 0]) for other in every]}"
        )


def _results(model: keras.Model) -> dict[str, Any]:
    """Results of the metrics in this process.

    Keras 3.16 adds up the results of all processes on every request, and would
    wait forever if one process had fewer batches.
    """
    if type(model).get_metrics_result is not keras.Model.get_metrics_result:
        return type(model).get_metrics_result(model)
    results: dict[str, Any] = {}
    for metric in model.metrics:
        result = metric.result()
        several = isinstance(result, dict)
        results |= result if several else {metric.name: result}
    return results


def _size(x: Any) -> int:
    """Number of samples of a batch."""
    return len(next(part for part in keras.tree.flatten(x) if part is not None))


def _bytes(variable: keras.Variable) -> torch.Tensor:
    """The memory of a variable."""
    return variable.value.detach().reshape(-1).view(torch.uint8)


def _reduce(sums: list[keras.Variable], means: list[keras.Variable]) -> None:
    """Replace variables by their sums and means over all processes."""
    variables = [*sums, *means]
    if not variables:
        return
    # Counts stay exact in double precision.
    parts = [v.value.detach().reshape(-1).double() for v in variables]
    whole = torch.cat(parts)
    distributed.all_reduce(whole)
    whole[sum(map(len, parts[: len(sums)])) :] /= distributed.get_world_size()
    parts = whole.split([len(part) for part in parts])
    for variable, part in zip(variables, parts, strict=True):
        variable.assign(part.reshape(variable.value.shape))
