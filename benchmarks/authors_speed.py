"""Speed of the losses against the authors' PyTorch programs.

These programs take a softmax, clamp it and multiply by a one-hot matrix; this
file rewrites them from the formulas. One call computes the value and its
gradient. Both versions take turns on one thread. The table has the ratio of
median processor times, which other programs disturb least. `compiled` is the
loss of this package under `torch.compile`:

    KERAS_BACKEND=torch python benchmarks/authors_speed.py --classes 100 21841
    KERAS_BACKEND=torch python benchmarks/authors_speed.py --compile
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from keras_noisy import losses

Tensor = torch.Tensor
#: Bound of the losses that reverse label and prediction, log(1e-7).
A = -math.log(1e-7)


def parts(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Clamped probabilities, their logarithm, one-hot labels."""
    p = F.softmax(z, dim=1).clamp(1e-7, 1.0)
    return p, torch.log(p), F.one_hot(y, z.shape[1]).float()


def mae(z: Tensor, y: Tensor) -> Tensor:
    p, _, t = parts(z, y)
    return 2 * (1 - (t * p).sum(1))


def gce(z: Tensor, y: Tensor, q: float = 0.7) -> Tensor:
    p, _, t = parts(z, y)
    return (1 - (t * p).sum(1) ** q) / q


def rce(z: Tensor, y: Tensor) -> Tensor:
    p, _, t = parts(z, y)
    return -(p * torch.log(t.clamp(1e-4, 1.0))).sum(1)


def nce(z: Tensor, y: Tensor) -> Tensor:
    _, log_p, t = parts(z, y)
    return (t * log_p).sum(1) / log_p.sum(1)


def focal(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    p, log_p, t = parts(z, y)
    return -((1 - p).detach() ** 0.5) * log_p, t


def nfl(z: Tensor, y: Tensor) -> Tensor:
    every, t = focal(z, y)
    return (t * every).sum(1) / every.sum(1)


def nnce(z: Tensor, y: Tensor) -> Tensor:
    _, log_p, t = parts(z, y)
    return 1 - (A + (t * log_p).sum(1)) / (A + log_p).sum(1)


def nnfl(z: Tensor, y: Tensor) -> Tensor:
    every, t = focal(z, y)
    largest = (1 - 1e-7) ** 0.5 * A
    return 1 - (largest - (t * every).sum(1)) / (largest - every).sum(1)


def amse(z: Tensor, y: Tensor, a: float = 30.0) -> Tensor:
    p, _, t = parts(z, y)
    return ((p - a * t) ** 2).mean(1)


def ece(z: Tensor, y: Tensor, m: float = 1e5) -> Tensor:
    p, _, t = parts(z, y)
    top = F.one_hot(p.argmax(1), z.shape[1])
    return -(t * torch.log((p + m * top) / (m + 1))).sum(1)


def pair(
    first: Callable, second: Callable, alpha: float, beta: float
) -> Callable:
    return lambda z, y: alpha * first(z, y) + beta * second(z, y)


AUTHORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "MAE": mae,
    "GCE": gce,
    "RCE": rce,
    "NCE": nce,
    "NFL": nfl,
    "NNCE": nnce,
    "NNFL": nnfl,
    "AMSE": amse,
    "EpsilonSoftmaxCE": ece,
    # With the weights of CIFAR-10.
    "NCE+RCE": pair(nce, rce, 1.0, 1.0),
    "ANL-CE": pair(nce, nnce, 5.0, 5.0),
    "ANL-FL": pair(nfl, nnfl, 5.0, 5.0),
    "JAL-CE": pair(nce, amse, 1.0, 1.0),
}


def ours(name: str) -> Any:
    pairs = {"data_set": "cifar10"} if name in losses.presets.PRESETS else {}
    return losses.get(name, from_logits=True, **pairs)


def compare(
    name: str, num_classes: int, batch: int, rounds: int, compiled: bool
) -> float:
    """Ratio of the median processor times of a call."""
    z = torch.randn(batch, num_classes).requires_grad_()
    y = torch.randint(num_classes, (batch,))
    loss, theirs = ours(name), AUTHORS[name]
    loss(y, z)  # The loss checks its first batch.
    if compiled:
        loss = torch.compile(loss)
    steps = (lambda: loss(y, z), lambda: theirs(z, y).mean())
    durations: tuple[list, list] = ([], [])
    for number in range(rounds + 2):
        for step, times in zip(steps, durations, strict=True):
            start = time.process_time()
            torch.autograd.grad(step(), z)
            if number > 1:
                times.append(time.process_time() - start)
    return statistics.median(durations[0]) / statistics.median(durations[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--names", nargs="+", choices=AUTHORS, default=list(AUTHORS))
    add("--classes", nargs="+", type=int, default=[10, 100, 1000, 21841])
    add("--batch", type=int, default=256)
    add("--rounds", type=int, default=20)
    add("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("|", " | ".join(["loss", *map(str, arguments.classes)]), "|")
    print("|", " | ".join(["---"] * (1 + len(arguments.classes))), "|")
    for name in arguments.names:
        ratios = []
        for num_classes in arguments.classes:
            settings = arguments.batch, arguments.rounds, arguments.compile
            ratios.append(f"{compare(name, num_classes, *settings):.2f}")
        print("|", " | ".join([name, *ratios]), "|", flush=True)


if __name__ == "__main__":
    main()
