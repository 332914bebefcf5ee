"""Session recommendation on Diginetica, compared with published results.

    python benchmarks/sessions.py --data-dir FOLDER --runs FOLDER
    python benchmarks/sessions.py --data-dir FOLDER --runs FOLDER --study noise
    python benchmarks/sessions.py --data-dir FOLDER --study speed
    python benchmarks/sessions.py --table

Each study is a list of trainings, and appends a row to `sessions.csv` for each
epoch, with P@20 and MRR@20 on the 60,858 test samples:

- `full`: SR-GNN on all 719,470 samples by the published settings, which
  reports P@20 50.7 and MRR@20 17.6.
- `small`: SR-GNN, TAGNN and PIA-GNN on the last sixteenth of the samples.
- `noise`: SR-GNN on all samples with four losses, and with 0, 20 and 40 % of
  the clicks replaced at random.
- `noise-small`: the same on the last sixteenth.
- `speed`: no training, but steps per second and memory of each model and of a
  GRU4Rec in plain Keras, each in its own process; one row each in
  `sessions_speed.csv`.

To continue a stopped run, also one stopped by `--limit-minutes`, repeat the
command: checkpoints go to the folder `--runs`, outside the repository, every
`--save-freq` steps. Set `KERAS_BACKEND`; docs/sessions.md says which one is
fastest.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import keras

from keras_noisy import losses
from keras_noisy.callbacks import Resume
from keras_noisy.datasets import SessionDataset, load_sessions
from keras_noisy.metrics import MRRAt, RecallAt
from keras_noisy.models import PIAGNN, SRGNN

UNITS = 100
#: The gradient of the penalty is 1e-5 w.
L2 = keras.regularizers.L2(5e-6)
LOSSES = {
    "CE": lambda k: losses.CrossEntropy(num_classes=k, from_logits=True),
    "MAE*": lambda k: losses.MAEStar(num_classes=k, from_logits=True),
    "GCE auto": lambda k: losses.GCE("auto", num_classes=k, from_logits=True),
    "ScaledMAE": lambda k: losses.ScaledMAE(num_classes=k, from_logits=True),
}


class Run(NamedTuple):
    """The setting of a training, which has one table row per epoch."""

    model: str
    loss: str
    replaced: float
    share: float
    batch_size: int
    epochs: int
    seed: int = 0


SMALL = 1 / 16
STUDIES = {
    "full": [Run("SR-GNN", "CE", 0.0, 1.0, 100, 8)],
    "small": [
        Run(model, "CE", 0.0, SMALL, 100, 8)
        for model in ("SR-GNN", "TAGNN", "PIA-GNN")
    ],
    "noise": [
        Run("SR-GNN", loss, replaced, 1.0, 100, 5)
        for replaced in (0.0, 0.2, 0.4)
        for loss in LOSSES
    ],
    "noise-small": [
        Run("SR-GNN", loss, replaced, SMALL, 100, 8)
        for replaced in (0.0, 0.2, 0.4)
        for loss in LOSSES
    ],
}


def gru4rec(num_items):
    """The network in plain Keras that serves as the baseline."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(num_items + 1, UNITS, mask_zero=True),
            keras.layers.GRU(UNITS),
            keras.layers.Dense(num_items),
        ]
    )


MODELS = {
    "GRU4Rec": gru4rec,
    "SR-GNN": lambda n: SRGNN(n, UNITS, regularizer=L2),
    "TAGNN": lambda n: SRGNN(n, UNITS, target_attention=True, regularizer=L2),
    "PIA-GNN": lambda n: PIAGNN(n, UNITS, regularizer=L2),
}


class Report(keras.callbacks.Callback):
    """Evaluates after each epoch, writes a row, and stops at the time limit."""

    def __init__(self, path, run, tested, test, deadline, start=(0, 0)):
        super().__init__()
        self.path, self.run, self.deadline = path, run, deadline
        self.start = start
        # Training steps do not compute ranks.
        inputs = keras.Input((None,), dtype="int32")
        self.tester = keras.Model(inputs, tested(inputs))
        self.tester.compile(metrics=[RecallAt(20), MRRAt(20)])
        self.test = test
        self.is_stopped = False

    def on_epoch_begin(self, epoch, logs=None):
        self.began, self.steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if time.perf_counter() > self.deadline:
            self.model.stop_training = self.is_stopped = True

    def on_epoch_end(self, epoch, logs=None):
        # An epoch that was stopped in its middle goes on later.
        done = self.start[1] if epoch == self.start[0] else 0
        if done + self.steps < self.params["steps"]:
            return
        seconds = time.perf_counter() - self.began
        assert self.model.built  # On JAX this brings the weights back.
        found = self.tester.evaluate(self.test, verbose=0, return_dict=True)
        row = {
            **self.run._asdict(),
            "epoch": epoch + 1,
            "p_at_20": f"{100 * found['recall_at_20']:.2f}",
            "mrr_at_20": f"{100 * found['mrr_at_20']:.2f}",
            "train_loss": f"{logs['loss']:.4f}",
            "steps_per_second": f"{self.steps / seconds:.2f}",
            "backend": keras.backend.backend(),
        }
        write(self.path, row, len(Run._fields) + 1)
        print(", ".join(f"{key} {value}" for key, value in row.items()))


def rows_of(path):
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path, row, num_keys):
    """Append a row, and replace one with the same first columns."""
    row = {key: str(value) for key, value in row.items()}
    keys = list(row)[:num_keys]
    rows = [
        other
        for other in rows_of(path)
        if any(other[key] != row[key] for key in keys)
    ]
    # Readers see either the old table or the whole new one.
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, row])
    os.replace(part, path)


def rate(epochs, steps):
    """0.001, and a tenth of it after every third epoch."""
    rates = [0.1**i / 1000 for i in range(max(2, -(-epochs // 3)))]
    ends = [3 * steps * (i + 1) for i in range(len(rates) - 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)


def train(run, data, options, deadline):
    """Train to the end of the run or of the time; True if time is left."""
    keras.utils.set_random_seed(run.seed)
    sessions = data.train.replaced(run.replaced, run.seed)
    sessions = sessions.last(run.share)
    name = "_".join(str(value) for value in run).replace(" ", "-")
    resume = Resume(
        options.runs / keras.backend.backend() / name.replace("*", "star"),
        save_freq=options.save_freq or "epoch",
        settings=run._asdict(),
    )
    if resume.initial_epoch >= run.epochs:
        return True
    model = MODELS[run.model](data.num_items)
    batches = SessionDataset(
        sessions,
        run.batch_size,
        training=True,
        seed=run.seed,
        start=resume.start,
    )
    steps = len(sessions) // run.batch_size
    optimizer = keras.optimizers.Adam(rate(run.epochs, steps))
    model.compile(optimizer, LOSSES[run.loss](data.num_items))
    test = SessionDataset(data.test, 200, by_length=True)
    report = Report(options.csv, run, model, test, deadline, resume.start)
    model.fit(
        batches,
        epochs=run.epochs,
        initial_epoch=resume.initial_epoch,
        shuffle=False,
        callbacks=[report, resume],
        verbose=options.verbose,
    )
    return not report.is_stopped


def measure(name, data, options):
    """Steps per second and memory of one model, in this process."""
    before = memory()
    keras.utils.set_random_seed(0)
    model = MODELS[name](data.num_items)
    model.compile(keras.optimizers.Adam(), LOSSES["CE"](data.num_items))
    batches = SessionDataset(data.train.last(SMALL), 100, training=True)
    # Compile every program before the clock starts.
    by_columns = {}
    for i in range(len(batches)):
        clicks, labels = batches[i]
        by_columns.setdefault(clicks.shape[1], (clicks, labels))
    for batch in by_columns.values():
        model.train_on_batch(*batch)
    began, processor = time.perf_counter(), time.process_time()
    count = 0
    while count < options.steps:
        model.train_on_batch(*batches[count])
        count += 1
    seconds = time.perf_counter() - began
    processor = time.process_time() - processor
    row = {
        "model": name,
        "backend": keras.backend.backend(),
        "batch_size": 100,
        "steps": count,
        "steps_per_second": f"{count / seconds:.2f}",
        # Other programs on the machine hardly affect processor time.
        "processor_seconds_per_step": f"{processor / count:.3f}",
        "mib": f"{memory() - before:.0f}",
        "load": f"{os.getloadavg()[0]:.1f}",
    }
    write(options.csv.with_name("sessions_speed.csv"), row, 2)
    print(", ".join(f"{key} {value}" for key, value in row.items()))


def memory():
    """Highest memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def table(rows):
    """The last epoch of each run, and its best one for each measure."""
    runs = {}
    for row in rows:
        runs.setdefault(tuple(row[key] for key in Run._fields), []).append(row)
    print("| Model | Loss | replaced | share | epochs | P@20 | MRR@20 | best |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for key, epochs in runs.items():
        run = dict(zip(Run._fields, key, strict=True))
        epochs.sort(key=lambda row: int(row["epoch"]))
        last = epochs[-1]
        best = (
            max(float(row[name]) for row in epochs)
            for name in ("p_at_20", "mrr_at_20")
        )
        cells = [
            run["model"],
            run["loss"],
            f"{100 * float(run['replaced']):.0f} %",
            f"{float(run['share']):.3g}",
            f"{last['epoch']} of {run['epochs']}",
            last["p_at_20"],
            last["mrr_at_20"],
            " / ".join(f"{value:.2f}" for value in best),
        ]
        print("|", " | ".join(cells), "|")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with the sessions of Diginetica")
    add("--runs", type=Path, help="folder of checkpoints, outside of this one")
    add("--study", choices=[*STUDIES, "speed"], default="full")
    add("--limit-minutes", type=float, default=float("inf"))
    add("--models", nargs="+", choices=list(MODELS), metavar="MODEL")
    add("--losses", nargs="+", choices=list(LOSSES), metavar="LOSS")
    add("--replaced", nargs="+", type=float, metavar="SHARE")
    add("--save-freq", type=int, default=250, help="0: after each epoch only")
    add("--steps", type=int, default=50, help="that `speed` measures")
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--verbose", type=int, default=2, help="as in `fit`")
    add("--table", action="store_true", help="print what there is, run nothing")
    options = parser.parse_args()
    deadline = time.perf_counter() + 60 * options.limit_minutes
    if options.table:
        table(rows_of(options.csv))
        return
    if options.data_dir is None:
        parser.error("--data-dir is needed")
    if options.study == "speed":
        names = options.models or list(MODELS)
        if len(names) == 1:
            data = load_sessions("diginetica", options.data_dir)
            measure(names[0], data, options)
            return
        for name in names:
            subprocess.run(
                [sys.executable, *sys.argv, "--models", name], check=True
            )
        return
    if options.runs is None:
        parser.error("--runs is needed")
    data = load_sessions("diginetica", options.data_dir)
    for run in STUDIES[options.study]:
        chosen = run.model in (options.models or [run.model])
        chosen = chosen and run.loss in (options.losses or [run.loss])
        chosen = chosen and run.replaced in (options.replaced or [run.replaced])
        if chosen and not train(run, data, options, deadline):
            print("The time is over. The same command goes on from here.")
            break


if __name__ == "__main__":
    main()
