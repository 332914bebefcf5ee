"""Speed and memory of the losses, as a ratio to the cross-entropy of Keras.

One call gives the value and its gradient with respect to the logits. Every
loss of `keras_noisy.losses` is compared with
`keras.losses.SparseCategoricalCrossentropy(from_logits=True)`, with integer
labels and on the CPU, in JAX (jit), TensorFlow (graph and XLA) and PyTorch
(eager):

    python benchmarks/loss_speed.py
    python benchmarks/loss_speed.py --backends jax --classes 10 1000

Without `--backends` it is the backend in `KERAS_BACKEND`, or else all three,
each in a process of its own. The losses and the baseline take turns there, in
an order shuffled anew in each round, and a ratio is one of medians. The
baseline takes part twice: the faster one counts, and the ratio "baseline
again" shows the noise. Every
number goes to a CSV file; rows of other backends and class counts stay in it.
"""

import argparse
import csv
import itertools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MODES = {"tensorflow": ("graph", "XLA"), "jax": ("jit",), "torch": ("eager",)}
BASELINE, AGAIN = "SparseCategoricalCrossentropy", "baseline again"
#: A transition matrix of more classes takes gigabytes.
LARGEST_MATRIX = 2000
SHORTEST = 0.005  # seconds: a measurement repeats the call for that long
SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    # glibc keeps freed memory, or the page faults of getting it back would
    # count more than the loss; TensorFlow's allocator keeps it anyway.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    # PyTorch's threads do not spin when other processes hold the cores.
    "OMP_WAIT_POLICY": "passive",
}

Row = dict[str, Any]
Step = Callable[[], Any]


def losses(num_classes: int) -> dict[str, Any]:
    """The baseline twice, every loss, the published pairs and variants.

    Left out are losses with memory, which need a model, and several views,
    which need other predictions.
    """
    import keras

    from keras_noisy import losses as ours

    baseline = keras.losses.SparseCategoricalCrossentropy
    found = {name: baseline(from_logits=True) for name in (BASELINE, AGAIN)}
    shared = {"num_classes": num_classes, "from_logits": True}
    needed = {
        "GeneralizedJensenShannon": {"views": 1},
        "ActivePassive": {"active": ours.RCE(), "passive": ours.CrossEntropy()},
    }
    if num_classes <= LARGEST_MATRIX:
        noise = 0.2 / (num_classes - 1)
        T = [[noise] * num_classes for _ in range(num_classes)]
        for i in range(num_classes):
            T[i][i] = 0.8
        needed["ForwardCorrection"] = needed["BackwardCorrection"] = {"T": T}
    for name in ours.names():
        loss = getattr(ours, name, None)
        if loss and issubclass(loss, ours.MemoryLoss):
            continue
        if name.endswith("Correction") and name not in needed:
            continue
        found[name] = ours.get(name, **needed.get(name, {}), **shared)
    found["GCE(q=auto)"] = ours.GCE(q="auto", **shared)
    transformed = {"logit_clip": 1.0}, {"logit_normalization": 0.1}
    for transform in transformed:
        (name, value), *_ = transform.items()
        found[f"CrossEntropy({name}={value:g})"] = ours.CrossEntropy(
            **transform, **shared
        )
    return found


def goal_of(name: str, loss: Any, num_classes: int) -> float | None:
    """Largest ratio to the baseline that is wanted."""
    if name in (BASELINE, AGAIN):
        return None
    if getattr(loss, "has_formula", False):
        return 1.0 if num_classes >= 1000 else 1.3
    return 3.0 if name == "BiTempered" else 1.5


def build(
    loss: Any, mode: str, labels: Any, logits: Any
) -> tuple[Step, Callable[[], int]]:
    """A call that ends with its results computed, and its peak in bytes."""
    if mode == "jit":
        import jax

        function = jax.jit(jax.value_and_grad(lambda z, y: loss(y, z)))

        def jax_peak() -> int:
            compiled = function.lower(logits, labels).compile()
            memory = compiled.memory_analysis()
            return memory.temp_size_in_bytes + memory.output_size_in_bytes

        return lambda: jax.block_until_ready(function(logits, labels)), jax_peak

    if mode == "eager":
        import torch

        logits.requires_grad_()

        def step() -> Any:
            return torch.autograd.grad(loss(labels, logits), logits)

        return step, lambda: torch_peak(step)

    import tensorflow as tf

    @tf.function(jit_compile=mode == "XLA")
    def value_and_gradient(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return value, tape.gradient(value, logits)

    def step() -> Any:
        return value_and_gradient(labels, logits)[0].numpy()

    return step, lambda: tensorflow_peak(step)


def tensorflow_peak(step: Step) -> int:
    """From the statistics of TensorFlow's allocator."""
    import tensorflow as tf

    # Only of a large free block does it hand out no more than was asked for.
    tf.zeros((2**28,))
    memory = tf.config.experimental
    memory.reset_memory_stats("CPU:0")
    before = memory.get_memory_info("CPU:0")["current"]
    step()
    return memory.get_memory_info("CPU:0")["peak"] - before


def torch_peak(step: Step) -> int:
    """From the allocations and releases in PyTorch's profile."""
    import torch

    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as run:
        step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        run.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    events = [event for event in events if event["name"] == "[memory]"]
    events.sort(key=lambda event: event["ts"])
    return max(itertools.accumulate(event["args"]["Bytes"] for event in events))


def median_seconds(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median duration of a call of each step, the steps taking turns."""
    calls = {}
    for name, step in steps.items():
        fastest = min(seconds(step, 1) for _ in range(5))
        calls[name] = math.ceil(SHORTEST / fastest)
    durations = {name: [] for name in steps}
    order, generator = list(steps), random.Random(0)
    for _ in range(rounds):
        generator.shuffle(order)
        for name in order:
            durations[name].append(seconds(steps[name], calls[name]))
    return {name: statistics.median(of) for name, of in durations.items()}


def seconds(step: Step, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


def measure(
    backend: str, mode: str, num_classes: int, batch: int, rounds: int
) -> Iterator[Row]:
    """Rows of one setting, in a process that runs this backend."""
    import numpy as np
    from keras import ops

    generator = np.random.default_rng(0)
    logits = generator.standard_normal((batch, num_classes), "float32")
    labels = generator.integers(num_classes, size=batch)
    logits, labels = map(ops.convert_to_tensor, (logits, labels))
    found = losses(num_classes)
    built = {k: build(v, mode, labels, logits) for k, v in found.items()}
    times = median_seconds({k: step for k, (step, _) in built.items()}, rounds)
    peaks = {k: peak() / 1e6 for k, (_, peak) in built.items()}
    # Take the one of the two that flatters the losses less.
    times[BASELINE], times[AGAIN] = sorted((times[BASELINE], times[AGAIN]))
    for name, loss in found.items():
        ratio = round(times[name] / times[BASELINE], 2)
        goal = goal_of(name, loss, num_classes)
        meets = "" if goal is None else "yes" if ratio <= goal else "no"
        yield {
            "backend": backend,
            "mode": mode,
            "loss": name,
            "num_classes": num_classes,
            "milliseconds_baseline": round(1e3 * times[BASELINE], 4),
            "milliseconds_loss": round(1e3 * times[name], 4),
            "ratio": ratio,
            "peak_mb_baseline": round(peaks[BASELINE], 3),
            "peak_mb_loss": round(peaks[name], 3),
            "goal": goal or "",
            "meets": meets,
        }


def print_tables(rows: list[Row], batch: int) -> None:
    """A table per backend and mode, and how many losses meet the goal."""
    print(
        f"Batch {batch}. Time: the baseline in milliseconds, the losses as a "
        "ratio to it.\nMemory: the peak of a call in (N, K) float32 matrices; "
        "the gradient that it\nreturns is one of them."
    )
    for table in dict.fromkeys((row["backend"], row["mode"]) for row in rows):
        here = [row for row in rows if (row["backend"], row["mode"]) == table]
        classes = list(dict.fromkeys(row["num_classes"] for row in here))
        heads = [f"K = {k}" for k in classes] + [f"memory, K = {classes[-1]}"]
        print(f"\n### {table[0]}, {table[1]}\n")
        print("|", " | ".join(["loss", *heads]), "|")
        print("|", " | ".join(["---"] * (1 + len(heads))), "|")
        for name in dict.fromkeys(row["loss"] for row in here):
            line = {r["num_classes"]: r for r in here if r["loss"] == name}
            cells = [name, *(time_cell(line.get(k)) for k in classes)]
            if last := line.get(classes[-1]):
                matrix = 4e-6 * batch * classes[-1]
                cells.append(f"{last['peak_mb_loss'] / matrix:.1f}")
            print("|", " | ".join(cells), "|")
    judged = [row["meets"] for row in rows if row["meets"]]
    print(f"\n{judged.count('yes')} of {len(judged)} meet the goal.")


def time_cell(row: Row | None) -> str:
    if row is None:
        return "-"
    if row["loss"] == BASELINE:
        return f"{row['milliseconds_baseline']:.3g} ms"
    if row["meets"] != "no":
        return f"{row['ratio']:.2f}"
    by = row["ratio"] - row["goal"]
    return f"{row['ratio']:.2f}, misses {row['goal']}x by {by:.2f}"


def save(rows: list[Row], path: Path) -> None:
    """Write the rows in place of those of the same backend and class count."""
    measured = {(row["backend"], str(row["num_classes"])) for row in rows}
    kept = []
    if path.exists():
        with path.open(newline="") as file:
            kept = list(csv.DictReader(file))
    kept = [r for r in kept if (r["backend"], r["num_classes"]) not in measured]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


def main() -> None:
    chosen = os.environ.get("KERAS_BACKEND")
    backends = [chosen] if chosen else list(MODES)
    path = Path(__file__).with_suffix(".csv")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--backends", nargs="+", choices=MODES, default=backends)
    add("--classes", nargs="+", type=int, default=[10, 1000, 21841])
    add("--rounds", type=int, default=100)
    add("--batch", type=int, default=256)
    add("--csv", type=Path, default=path)
    add("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    batch, rounds = arguments.batch, arguments.rounds
    if arguments.here:
        for mode in MODES[chosen]:
            for num_classes in arguments.classes:
                rows = measure(chosen, mode, num_classes, batch, rounds)
                print(*map(json.dumps, rows), sep="\n")
        return
    rows = []
    for backend in arguments.backends:
        done = subprocess.run(
            [sys.executable, *sys.argv, "--here"],
            env={**os.environ, **SETTINGS, "KERAS_BACKEND": backend},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows += map(json.loads, done.stdout.splitlines())
        save(rows, arguments.csv)
    print_tables(rows, batch)


if __name__ == "__main__":
    main()
