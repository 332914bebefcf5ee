"""Networks that train side by side, as branches of one model.

A small network cannot keep a processor busy, let alone a GPU. Here one program
trains one network for each of many losses on the same batches, from the same
initial weights (and on JAX and TensorFlow with the same dropout). The branches
are independent: the gradient of the sum of the losses gives each branch the
gradient of its own loss, and SGD and Adam update each weight on its own. So a
branch learns the same as in a separate training.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from tasks import TASKS, Task, logits_of

from keras_noisy import losses


class Branch(NamedTuple):
    """A loss, and the special settings of its network."""

    loss: Callable[..., keras.losses.Loss]
    #: Multiplies the loss: for SGD, the learning rate.
    weight: float = 1.0
    #: L2 penalty of the kernels.
    decay: float = 0.0
    #: Whether samples are mixed in pairs (mixup), which all branches share.
    mixed: bool = False


class Mixup(keras.utils.PyDataset):
    """Batches of one epoch, each sample mixed with another; soft labels."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, size: int, batch: int, seed: list
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.x, self.one_hot, self.batch = (
            x,
            np.eye(size, dtype="float32"),
            batch,
        )
        self.y = y
        self.pairs = rng.permutation(len(x)), rng.permutation(len(x))
        self.share = rng.random(len(x)).astype("float32")

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(index * self.batch, (index + 1) * self.batch)
        first, second = (order[part] for order in self.pairs)
        share = self.share[part][:, None]
        y = share * self.one_hot[self.y[first]]
        y += (1 - share) * self.one_hot[self.y[second]]
        share = share.reshape(-1, *[1] * (self.x.ndim - 1))
        return share * self.x[first] + (1 - share) * self.x[second], y


class SideBySide(keras.Model):
    """Each output has its own loss; all use the same labels."""

    def __init__(
        self, inputs: Any, outputs: Any, branches: Any, mixed: bool
    ) -> None:
        super().__init__(inputs, outputs)
        self.branches, self.mixed = branches, mixed

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        total = sum(self.losses, ops.zeros(()))
        outputs = keras.tree.flatten(y_pred)
        for (loss, weight), z in zip(self.branches, outputs, strict=True):
            whole = self.mixed or isinstance(loss, losses.MemoryLoss)
            total = total + weight * loss(y if whole else y[:, 0], z)
        return total


class Result(NamedTuple):
    """Accuracies on clean test labels and on the held-out given labels."""

    last: float
    best: float
    #: At the epoch that predicts the held-out labels best.
    stopped: float
    held_out: float
    held_best: float
    memorized: float
    #: The remaining share of a calibration that fades.
    share_left: float


def train(
    task: str,
    data: Task,
    branches: Sequence[Branch],
    seed: int,
    optimizer: str = "SGD",
    rate: float = 0.1,
    held_out: float = 0.0,
) -> tuple[list[Result], float]:
    """Train all branches; returns the results of each, and the total seconds.

    `held_out` is the share of the training samples that are kept, with their
    given labels, to choose the epoch and the hyperparameters.
    """
    started = time.perf_counter()
    epochs, batch_size, num_classes = TASKS[task]
    kept = np.random.default_rng(seed).random(len(data.x)) >= held_out
    x, y = data.x[kept], data.y[kept]
    labels = np.stack([y, np.arange(len(y))], axis=1).astype("int32")
    steps = epochs * -(-len(x) // batch_size)

    inputs = keras.Input(data.x.shape[1:])
    outputs, built = [], []
    for branch in branches:
        keras.utils.set_random_seed(seed)
        loss = branch.loss(num_classes, len(x), steps)
        z = logits_of(task, inputs, num_classes, branch.decay)
        if hasattr(loss, "connect"):
            z = loss.connect(z)
        built.append((loss, branch.weight))
        outputs.append(z)
    (mixed,) = {branch.mixed for branch in branches}
    model = SideBySide(inputs, outputs, built, mixed)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule)
        if optimizer == "Adam"
        else keras.optimizers.SGD(schedule, momentum=0.9)
    )
    asked = keras.Input((), dtype="int32")
    top = 20 if task == "clicks" else 1
    hits = [ops.in_top_k(asked, z, top) for z in outputs]
    tester = keras.Model([inputs, asked], ops.stack(hits, axis=1))

    def share(x, y):
        if not len(x):
            return np.full(len(branches), np.nan)
        return tester.predict([x, y], 500, verbose=0).mean(axis=0)

    test, held = [], []
    for epoch in range(epochs):
        # The order of the samples is the same in every training.
        keras.utils.set_random_seed(1000 * seed + epoch)
        given = {"x": x, "y": labels, "batch_size": batch_size}
        if mixed:
            pairs = Mixup(x, y, num_classes, batch_size, [seed, epoch])
            given = {"x": pairs}
        model.fit(**given, epochs=epoch + 1, initial_epoch=epoch, verbose=0)
        test.append(share(data.x_test, data.y_test))
        held.append(share(data.x[~kept], data.y[~kept]))
    wrong = np.zeros(len(y), bool)
    if data.clean is not None:
        wrong = y != data.clean[kept]
    memorized = share(x[wrong][:5000], y[wrong][:5000])
    test, held = np.array(test), np.array(held)
    every = np.arange(len(branches))
    stopped = test[held.argmax(axis=0), every]
    if not held_out:
        stopped = np.full(len(branches), np.nan)
    left = [_share_left(loss) for loss, _ in built]
    columns = (
        test[-1],
        test.max(axis=0),
        stopped,
        held[-1],
        held.max(axis=0),
        memorized,
        left,
    )
    results = [Result(*map(float, row)) for row in zip(*columns, strict=True)]
    return results, time.perf_counter() - started


def _share_left(loss: Any) -> float:
    fading = getattr(loss, "fading", None)
    return 1.0 if fading is None else float(ops.mean(fading.share()))
