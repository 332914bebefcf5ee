"""The gain of gradients in closed form over automatic differentiation.

Both ways take turns in one process and are compared with Keras' cross-entropy
in the same process: batch 256, integer labels, logits, ratios of medians; on
PyTorch the time of one thread. Each loss adds a row to `closed_form.csv`, and a
stopped run continues where it was:

    python benchmarks/closed_form.py --backend jax
    python benchmarks/closed_form.py --table
"""

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".csv")
FIELDS = ["backend", "classes", "loss", "closed form", "automatic"]
LOSSES = (
    *("NCE", "NFL", "NGCE", "NNCE", "NNFL", "AMSE", "CORES", "PeerLoss"),
    *("SoftBootstrapping", "EpsilonSoftmaxCE", "NCE+RCE", "NCE+AGCE"),
    *("ANL-CE", "ANL-FL"),
)
Step = Callable[[], None]


def step_of(backend: str, loss: Any, z: Any, labels: Any) -> Step:
    """A call that gives the value and its gradient, compiled."""
    if backend == "jax":
        import jax

        function = jax.jit(jax.value_and_grad(lambda x: loss(labels, x)))
        logits = jax.numpy.asarray(z)
        return lambda: jax.block_until_ready(function(logits))
    if backend == "torch":
        import torch

        logits, labels = (
            torch.tensor(z, requires_grad=True),
            torch.tensor(labels),
        )

        def run() -> None:
            logits.grad = None
            loss(labels, logits).backward()

        return run
    import tensorflow as tf

    logits, labels = tf.constant(z), tf.constant(labels)

    @tf.function
    def value_and_gradient() -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    return lambda: value_and_gradient()[1].numpy()


def medians(steps: dict[str, Step], clock: Any, repeat: int) -> dict:
    """Seconds of each step; the steps take turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(7):
        for name, step in steps.items():
            start = clock()
            for _ in range(repeat):
                step()
            times[name].append(clock() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def measured(backend: str, classes: int, name: str) -> dict[str, Any]:
    """A row of the table."""
    import keras
    import numpy as np

    from keras_noisy import losses
    from keras_noisy.losses.base import distribution

    rng = np.random.default_rng(0)
    z = rng.normal(size=(256, classes)).astype("float32")
    labels = rng.integers(classes, size=256)
    known = distribution.has_closed_form

    def with_form(allowed: bool) -> Step:
        loss = losses.get(name, from_logits=True, num_classes=classes)

        def select() -> None:
            distribution.has_closed_form = known if allowed else never

        select()
        step = step_of(backend, loss, z, labels)

        def run() -> None:
            select()
            step()

        return run

    baseline = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = {
        "baseline": step_of(backend, baseline, z, labels),
        "closed form": with_form(True),
        "automatic": with_form(False),
    }
    clock = time.process_time if backend == "torch" else time.perf_counter
    found = medians(steps, clock, 20 if classes < 5000 else 1)
    distribution.has_closed_form = known
    row = {"backend": backend, "classes": classes, "loss": name}
    for way in FIELDS[3:]:
        row[way] = f"{found[way] / found['baseline']:.2f}"
    return row


def never(*given: Any) -> bool:
    """No loss has a closed form."""
    return False


def rows() -> list[dict[str, str]]:
    """The rows that were measured before."""
    if not FILE.exists():
        return []
    with FILE.open(newline="") as file:
        return list(csv.DictReader(file))


def table() -> Iterator[str]:
    """Markdown: closed form / automatic for each number of classes."""
    found = rows()
    for backend in dict.fromkeys(row["backend"] for row in found):
        of_backend = [row for row in found if row["backend"] == backend]
        counts = list(dict.fromkeys(row["classes"] for row in of_backend))
        yield f"| {backend} | {' | '.join(counts)} |"
        yield "| --- |" + " --- |" * len(counts)
        for name in dict.fromkeys(row["loss"] for row in of_backend):
            cells = [
                f"{row['closed form']} / {row['automatic']}"
                for row in of_backend
                if row["loss"] == name
            ]
            yield f"| {name} | {' | '.join(cells)} |"
        yield ""


def main() -> None:
    """Measure the missing rows, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--backend", choices=("jax", "tensorflow", "torch"), default="jax"
    )
    parser.add_argument(
        "--classes", nargs="+", type=int, default=[10, 1000, 21_841]
    )
    parser.add_argument("--table", action="store_true", help="print it")
    options = parser.parse_args()
    if options.table:
        print("\n".join(table()))
        return
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    known = {(row["backend"], row["classes"], row["loss"]) for row in rows()}
    for classes in options.classes:
        for name in LOSSES:
            if (options.backend, str(classes), name) in known:
                continue
            row = measured(options.backend, classes, name)
            is_new = not FILE.exists()
            with FILE.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
            print(*row.values())


if __name__ == "__main__":
    main()
