"""Speed of losses for single outputs and for several labels.

One call computes the value and its gradient with respect to the logits,
measured as in `loss_speed.py`. The baseline is
`keras.losses.BinaryCrossentropy(from_logits=True)` on the same labels:

    python benchmarks/sigmoid_speed.py
    python benchmarks/sigmoid_speed.py --backends jax --outputs 1 80
    python benchmarks/sigmoid_speed.py --table

With one output the loss is used as it is; with more it is wrapped in `Binary`.
"memory" is the peak memory of a call as a ratio to the baseline.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from loss_speed import MODES, SETTINGS, THREADS, build, median_seconds

BASELINE, AGAIN = "BinaryCrossentropy", "baseline again"
#: PyTorch compiles for minutes; "one thread" differs only at large sizes.
LEFT_OUT = ("compile", "one thread")
NAMES = ("CrossEntropy", "MAE", "GCE", "SCE", "Focal", "JensenShannon")
FOR_SEVERAL = ("AsymmetricLoss", "Hill", "SPLC")
#: Losses that are also measured with float labels.
OF_FLOATS = ("CrossEntropy", "GCE")


def losses(outputs: int) -> dict[str, Any]:
    """The baseline twice, and the losses for this number of outputs."""
    import keras

    from keras_noisy import losses as ours

    logits = {"from_logits": True}
    found: dict[str, Any] = {
        name: keras.losses.BinaryCrossentropy(**logits)
        for name in (BASELINE, AGAIN)
    }
    for name in NAMES:
        loss = getattr(ours, name)(**logits)
        found[name] = loss if outputs == 1 else ours.Binary(loss)
    if outputs > 1:
        for name in FOR_SEVERAL:
            start = {"start": 0} if name == "SPLC" else {}
            found[name] = getattr(ours, name)(**start, **logits)
    return found


def measure(
    backend: str, mode: str, outputs: int, batch: int, rounds: int
) -> list[dict[str, Any]]:
    """Rows of one setting, in a process that runs this backend."""
    import numpy as np
    from keras import ops

    if backend == "torch":
        import torch

        torch.set_num_threads(THREADS)
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((batch, outputs), "float32")
    logits = ops.convert_to_tensor(logits)
    labels = generator.integers(2, size=(batch, outputs))
    found, rows = losses(outputs), []
    for kind in ("int32", "float32"):
        y = ops.convert_to_tensor(labels.astype(kind))
        baselines = {
            name: build(found[name], mode, y, logits)
            for name in (BASELINE, AGAIN)
        }
        baselines[BASELINE][0]()  # The first call also traces the step.
        peak = baselines[BASELINE][1]()
        for name, loss in found.items():
            if kind == "float32" and name not in (BASELINE, *OF_FLOATS):
                continue
            each = dict(baselines)
            if name not in each:
                each[name] = build(loss, mode, y, logits)
            steps = {key: step for key, (step, _) in each.items()}
            times = median_seconds(steps, rounds, time.perf_counter)
            # Use the faster baseline, which favors the losses less.
            fastest = min(times[BASELINE], times[AGAIN])
            memory = each[name][1]() / peak
            rows.append(
                {
                    "backend": backend,
                    "mode": mode,
                    "outputs": outputs,
                    "labels": kind,
                    "loss": name,
                    "milliseconds_baseline": round(1e3 * fastest, 4),
                    "ratio": round(times[name] / fastest, 2),
                    "memory": round(memory, 2),
                }
            )
    return rows


def read(path: Path) -> list[dict[str, Any]]:
    """The measured rows."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def save(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows and replace older ones of the same setting."""
    settings = ("backend", "mode", "outputs")

    def setting(row: dict[str, Any]) -> list[str]:
        return [str(row[name]) for name in settings]

    new = [setting(row) for row in rows]
    kept = [row for row in read(path) if setting(row) not in new]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, *rows])


def show(rows: list[dict[str, Any]]) -> None:
    """A table of ratios, one column for each backend and mode."""
    columns = list(dict.fromkeys((r["backend"], r["mode"]) for r in rows))
    heads = [", ".join(column) for column in columns]
    print("|", " | ".join(["outputs", "labels", "loss", *heads]), "|")
    print("|", " | ".join(["---"] * (3 + len(columns))), "|")
    lines = dict.fromkeys((r["outputs"], r["labels"], r["loss"]) for r in rows)
    for line in lines:
        cells = []
        for column in columns:
            here = [
                r
                for r in rows
                if (r["outputs"], r["labels"], r["loss"]) == line
                and (r["backend"], r["mode"]) == column
            ]
            if not here:
                cells.append("-")
            elif line[2] == BASELINE:
                cells.append(
                    f"{float(here[0]['milliseconds_baseline']):.3g} ms"
                )
            else:
                ratio, memory = (float(here[0][k]) for k in ("ratio", "memory"))
                cells.append(f"{ratio:.2f}, {memory:.2f}")
        print("|", " | ".join([*line, *cells]), "|")


def main() -> None:
    chosen = os.environ.get("KERAS_BACKEND")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    backends = [chosen] if chosen else list(MODES)
    add("--backends", nargs="+", choices=MODES, default=backends)
    add("--outputs", nargs="+", type=int, default=[1, 80, 1000])
    add("--rounds", type=int, default=30)
    add("--batch", type=int, default=256)
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--table", action="store_true", help="print what was measured")
    add("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        for mode in MODES[chosen]:
            for outputs in options.outputs if mode not in LEFT_OUT else ():
                given = outputs, options.batch, options.rounds
                save(measure(chosen, mode, *given), options.csv)
        return
    for backend in () if options.table else options.backends:
        subprocess.run(
            [sys.executable, *sys.argv, "--here"],
            env={**os.environ, **SETTINGS, "KERAS_BACKEND": backend},
            check=True,
        )
    show(read(options.csv))


if __name__ == "__main__":
    main()
