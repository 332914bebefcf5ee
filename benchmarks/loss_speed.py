"""Speed and memory of the losses, as a ratio to the cross-entropy of Keras.

One call computes the value and its gradient with respect to the logits. The
script compares every loss of `keras_noisy.losses` with
`keras.losses.SparseCategoricalCrossentropy(from_logits=True)`, with integer
labels on the CPU, in JAX (jit), TensorFlow (graph and XLA) and PyTorch (eager;
eager with one thread, by processor time; and a few losses compiled):

    python benchmarks/loss_speed.py
    python benchmarks/loss_speed.py --backends jax --classes 10 1000
    python benchmarks/loss_speed.py --table

On a machine that runs other programs too, `--processor-time` counts the time
of all threads in every mode, which other programs disturb least.

Without `--backends` the script measures the backend in `KERAS_BACKEND`, or else
all three, each in its own process. A loss and the baseline take turns there, in
an order that is shuffled in each round, and ratios are ratios of medians. The
baseline takes part twice: the faster one counts, and the ratio "baseline again"
shows the noise. Each row goes to a CSV file at once, and is not measured again
without `--again`, so a stopped run continues where it was.
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
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import loss_speed_table
from loss_speed_goals import AGAIN, BASELINE, SIZES, goal_of, kind_of, losses
from loss_speed_table import Row

MODES = {
    "tensorflow": ("graph", "XLA"),
    "jax": ("jit",),
    "torch": ("eager", "one thread", "compile"),
}
#: PyTorch compiles a loss in 5 to 20 seconds: one loss represents each kind.
COMPILED = ("CrossEntropy", "GCE", "MAE", "NCE", "NCE+AGCE", "BiTempered")
THREADS = os.cpu_count() or 1
SHORTEST = 0.005  # seconds: a measurement repeats the call for that long
SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    # glibc keeps freed memory, or the page faults of getting it back would
    # count more than the loss; TensorFlow's allocator keeps it anyway.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    # This allocator has statistics on every processor.
    "TF_CPU_ALLOCATOR_USE_BFC": "true",
    # PyTorch's threads do not spin when other processes hold the cores.
    "OMP_WAIT_POLICY": "passive",
}

Step = Callable[[], Any]
Clock = Callable[[], float]


def build(
    loss: Any, mode: str, labels: Any, logits: Any
) -> tuple[Step, Callable[[], int]]:
    """A call that waits for its results, and its peak in bytes."""
    if mode == "jit":
        import jax

        function = jax.jit(jax.value_and_grad(lambda z, y: loss(y, z)))

        def jax_peak() -> int:
            compiled = function.lower(logits, labels).compile()
            memory = compiled.memory_analysis()
            return memory.temp_size_in_bytes + memory.output_size_in_bytes

        return lambda: jax.block_until_ready(function(logits, labels)), jax_peak

    if mode in MODES["torch"]:
        import torch

        logits.requires_grad_()
        function = torch.compile(loss) if mode == "compile" else loss

        def step() -> Any:
            return torch.autograd.grad(function(labels, logits), logits)

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
    """Peak memory from the statistics of TensorFlow's allocator."""
    import tensorflow as tf

    # It gives exactly the requested size only from a large free block.
    tf.zeros((2**28,))
    memory = tf.config.experimental
    memory.reset_memory_stats("CPU:0")
    before = memory.get_memory_info("CPU:0")["current"]
    step()
    return memory.get_memory_info("CPU:0")["peak"] - before


def torch_peak(step: Step) -> int:
    """Peak memory from the allocations and releases in PyTorch's profile."""
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


def median_seconds(
    steps: dict[str, Step], rounds: int, clock: Clock
) -> dict[str, float]:
    """Median duration of a call of each step; the steps take turns."""
    calls = {}
    for name, step in steps.items():
        fastest = min(seconds(step, 1, clock) for _ in range(5))
        calls[name] = math.ceil(SHORTEST / max(fastest, 1e-6))
    durations = {name: [] for name in steps}
    order, generator = list(steps), random.Random(0)
    for _ in range(rounds):
        generator.shuffle(order)
        for name in order:
            durations[name].append(seconds(steps[name], calls[name], clock))
    return {name: statistics.median(of) for name, of in durations.items()}


def seconds(step: Step, calls: int, clock: Clock) -> float:
    start = clock()
    for _ in range(calls):
        step()
    return (clock() - start) / calls


def measure(
    backend: str,
    mode: str,
    num_classes: int,
    batch: int,
    rounds: int,
    known: Container[str] = (),
    processor_time: bool = False,
) -> Iterator[Row]:
    """Rows of one setting, in a process that runs this backend."""
    import numpy as np
    from keras import ops

    if backend == "torch":
        import torch

        torch.set_num_threads(1 if mode == "one thread" else THREADS)
    if processor_time or mode == "one thread":
        clock = time.process_time
    else:
        clock = time.perf_counter
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((batch, num_classes), "float32")
    labels = generator.integers(num_classes, size=batch)
    logits, labels = map(ops.convert_to_tensor, (logits, labels))
    found = losses(num_classes)

    def built(name: str) -> tuple[Step, Callable[[], int]]:
        return build(found[name], mode, labels, logits)

    baselines = {name: built(name) for name in (BASELINE, AGAIN)}
    peak = baselines[BASELINE][1]() / 1e6
    for name, loss in found.items():
        if name in known or (mode == "compile" and name not in COMPILED):
            continue
        each = {**baselines, name: baselines.get(name) or built(name)}
        steps = {key: step for key, (step, _) in each.items()}
        times = median_seconds(steps, rounds, clock)
        # Use the faster baseline, which favors the losses less.
        times[BASELINE], times[AGAIN] = sorted((times[BASELINE], times[AGAIN]))
        ratio = round(times[name] / times[BASELINE], 2)
        kind = kind_of(name, loss)
        goal = goal_of(kind, backend, num_classes)
        yield {
            "backend": backend,
            "mode": mode,
            "loss": name,
            "kind": kind,
            "num_classes": num_classes,
            "milliseconds_baseline": round(1e3 * times[BASELINE], 4),
            "milliseconds_loss": round(1e3 * times[name], 4),
            "ratio": ratio,
            "peak_mb_baseline": round(peak, 3),
            "peak_mb_loss": round(each[name][1]() / 1e6, 3),
            "goal": goal or "",
            "meets": "" if goal is None else "yes" if ratio <= goal else "no",
        }


def key_of(row: Row) -> tuple[str, ...]:
    """The setting of a row."""
    names = ("backend", "mode", "num_classes", "loss")
    return tuple(str(row[name]) for name in names)


def read(path: Path) -> list[Row]:
    """The measured rows; rows in an older format do not count."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if "kind" in row]


def save(row: Row, path: Path) -> None:
    """Write a row and replace an older one."""
    kept = [old for old in read(path) if key_of(old) != key_of(row)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, row])


def measure_here(backend: str, options: argparse.Namespace) -> None:
    """All missing rows of the backend of this process."""
    known = {key_of(row) for row in read(options.csv)}
    for mode in MODES[backend]:
        for num_classes in options.classes:
            of_setting = (backend, mode, str(num_classes))
            names = {key[3] for key in known if key[:3] == of_setting}
            names = () if options.again else names
            rows = measure(
                backend,
                mode,
                num_classes,
                options.batch,
                options.rounds,
                names,
                options.processor_time,
            )
            for row in rows:
                save(row, options.csv)


def main() -> None:
    chosen = os.environ.get("KERAS_BACKEND")
    backends = [chosen] if chosen else list(MODES)
    path = Path(__file__).with_suffix(".csv")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--backends", nargs="+", choices=MODES, default=backends)
    add("--classes", nargs="+", type=int, default=list(SIZES))
    add("--rounds", type=int, default=30)
    add("--batch", type=int, default=256)
    add("--csv", type=Path, default=path)
    add("--again", action="store_true", help="measure known rows anew")
    add("--processor-time", action="store_true", help="on a shared machine")
    add("--table", action="store_true", help="print what was measured")
    add("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure_here(chosen, options)
        return
    if options.batch != 256 and options.csv == path:
        parser.error("--batch needs --csv: the rows do not say their batch")
    for backend in () if options.table else options.backends:
        subprocess.run(
            [sys.executable, *sys.argv, "--here"],
            env={**os.environ, **SETTINGS, "KERAS_BACKEND": backend},
            check=True,
        )
    loss_speed_table.show(read(options.csv), options.batch)


if __name__ == "__main__":
    main()
