"""The gain of a margin scale, by its start and its fade.

    python benchmarks/margin_scale.py --data-dir FOLDER --limit-minutes 60
    python benchmarks/margin_scale.py --table

The script trains `ScaledMAE` from several starts, constant and faded, and other
losses, and appends a row for each run to `margin_scale.csv`. Runs with a row
are skipped, so a stopped study continues where it was. The most informative
runs come first, and all runs of a seed before the next seed; `--together` many
runs on the same data train side by side. `--table` trains nothing and prints
the rows as Markdown. `tasks.py` defines the tasks and the contents of `FOLDER`.
"""

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import rows
import side_by_side
from tasks import TASKS, noises, read

from keras_noisy import losses
from keras_noisy.calibration import MarginFade, matched_margin_scale

#: Starts: fractions of the matched scale, or the number of reference classes.
STARTS = ("1", ".67", ".5", ".3", "of 5", "of 3")
FADES = {
    "none": lambda steps: None,
    "margin": lambda steps: MarginFade(),
    "median": lambda steps: MarginFade(quantile=0.5),
    "quantile .9": lambda steps: MarginFade(quantile=0.9),
    "quantile .95": lambda steps: MarginFade(quantile=0.95),
    "end -1": lambda steps: MarginFade(margin_end=-1.0),
    "end 2": lambda steps: MarginFade(margin_end=2.0),
    "end 4": lambda steps: MarginFade(margin_end=4.0),
    "rate .1": lambda steps: MarginFade(rate=0.1),
    "rate 2": lambda steps: MarginFade(rate=2.0),
    "all classes": lambda steps: MarginFade(rate=0.1, per_class=False),
    "cosine": lambda steps: keras.optimizers.schedules.CosineDecay(1.0, steps),
}
#: Runs that every cell has.
STARTED = (
    *(("1", "none"), ("1", "margin")),
    *((".5", "quantile .9"), ("1", "quantile .9"), (".5", "quantile .95")),
)
OTHERS = {
    "CE": lambda **kwargs: losses.CrossEntropy(**kwargs),
    "MAE*": lambda **kwargs: losses.MAEStar(**kwargs),
    "GCE auto": lambda **kwargs: losses.GCE(q="auto", **kwargs),
    "GCE .7": lambda **kwargs: losses.GCE(q=0.7, **kwargs),
    "NCE+RCE": lambda **kwargs: losses.get("NCE+RCE", **kwargs),
}
SCALED = "ScaledMAE"
RATES = ("0.03", "0.1", "0.3")
#: Adam uses the named learning rate times this factor.
OF_ADAM = 0.01
MAIN = ("features-100", "digits-1000", "digits-100", "cnn-8")
FEW = ("features-10", "features-5", "digits-10", "fashion-mnist")
LONG = ("cnn-30", "clicks")


class Run(NamedTuple):
    """The setting of a training; the key of a row."""

    task: str
    noise: str
    loss: str
    start: str = ""
    fade: str = "none"
    optimizer: str = "SGD"
    rate: str = "0.1"
    seed: str = "0"


RESULTS = ("last", "best", "memorized", "share_left")


def plan(seeds: list[int], tasks: list[str]) -> Iterator[Run]:
    """All runs once, the most informative ones first."""
    seen = set()
    for seed in seeds:
        for run in _of_a_seed():
            # Up to ten classes the scale is 1, which cannot fade.
            same = TASKS[run.task][2] <= 10 and run.start == "1"
            if same and run.fade != "none":
                continue
            if run.task in tasks and run not in seen:
                seen.add(run)
                yield run._replace(seed=str(seed))
        seen.clear()


def _of_a_seed() -> Iterator[Run]:
    def cells(names: tuple[str, ...]) -> list[tuple[str, str]]:
        # One noise for all tasks before the next noise.
        every = dict.fromkeys(noises(max(names, key=lambda n: len(noises(n)))))
        pairs = itertools.product(every, names)
        return [(name, n) for n, name in pairs if n in noises(name)]

    def runs(names: tuple[str, ...]) -> Iterator[Run]:
        for cell in cells(names):
            for start, fade in STARTED:
                yield Run(*cell, SCALED, start, fade, **_optimizer(cell[0]))
            for loss in OTHERS:
                yield Run(*cell, loss, **_optimizer(cell[0]))
        for cell in cells(names):
            for start, fade in (
                *((start, "margin") for start in STARTS[1:]),
                *((start, "none") for start in STARTS[1:]),
            ):
                yield Run(*cell, SCALED, start, fade, **_optimizer(cell[0]))

    yield from runs(MAIN[:2])
    yield from runs(FEW[:2])
    yield from runs(MAIN[2:])
    yield from runs(FEW[2:])
    for cell in cells(MAIN[:2]):
        for start, fade in itertools.product(("1", ".5"), FADES):
            yield Run(*cell, SCALED, start, fade)
    yield from runs(LONG)
    for cell in cells((MAIN[0], MAIN[1], FEW[0])):
        for optimizer, rate in itertools.product(("SGD", "Adam"), RATES):
            of_run = {"optimizer": optimizer, "rate": rate}
            for start, fade in (*STARTED, (".5", "none")):
                yield Run(*cell, SCALED, start, fade, **of_run)
            for loss in OTHERS:
                yield Run(*cell, loss, **of_run)
    for cell in cells((MAIN[3],)):
        for start, fade in itertools.product(("1", ".5"), FADES):
            yield Run(*cell, SCALED, start, fade)


def _optimizer(task: str) -> dict[str, str]:
    if task == "clicks":  # A smaller rate teaches nothing in three epochs.
        return {"optimizer": "Adam", "rate": "1"}
    return {"optimizer": "SGD"}


def loss_of(
    run: Run, num_classes: int, num_samples: int, steps: int
) -> losses.RobustLoss:
    """The loss of a run."""
    shared = {"num_classes": num_classes, "from_logits": True}
    if run.loss != SCALED:
        return OTHERS[run.loss](**shared)
    kind, _, classes = run.start.rpartition(" ")
    if kind == "of":
        mae = losses.MAE()
        scale = matched_margin_scale(mae, num_classes, int(classes))
    else:
        matched = losses.ScaledMAE(num_classes).margin_scale
        scale = float(run.start) * matched
    fade = FADES[run.fade](steps)
    if scale == 1:
        fade = None  # There is nothing to fade.
    return losses.ScaledMAE(margin_scale=scale, fade=fade, **shared)


def table(measured: list[dict[str, str]]) -> None:
    """Print the mean last accuracy of each cell, a table for each task."""
    found = defaultdict(list)
    for row in measured:
        head = (row["task"], row["optimizer"], row["rate"])
        start = f" from {row['start']}" if row["start"] else ""
        fade = "" if row["fade"] == "none" else f", {row['fade']}"
        line = (f"{row['loss']}{start}{fade}", row["noise"])
        found[head, line].append([float(row[k]) for k in RESULTS[:3]])
    for head in dict.fromkeys(head for head, _ in found):
        lines = [line for known, line in found if known == head]
        columns = [
            n for n in noises(head[0]) if n in dict(map(reversed, lines))
        ]
        print(f"\n**{head[0]}, {head[1]} {head[2]}**\n")
        print(f"| Loss | {' | '.join(columns)} |")
        print("| --- " * (1 + len(columns)) + "|")
        best = {
            n: max(
                np.mean(v, axis=0)[0]
                for (known, line), v in found.items()
                if known == head and line[1] == n
            )
            for n in columns
        }
        for name in dict.fromkeys(name for name, _ in lines):
            cells = []
            for noise in columns:
                runs = found.get((head, (name, noise)))
                if runs is None:
                    cells.append("")
                    continue
                last, _, memorized = np.mean(runs, axis=0)
                text = f"{100 * last:.1f}"
                if last == best[noise]:
                    text = f"**{text}**"
                if not np.isnan(memorized):
                    text += f" ({100 * memorized:.0f})"
                cells.append(text + f", {len(runs)}" * (len(runs) > 1))
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="with the files that tasks.py lists")
    add("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--limit-minutes", type=float, help="start no run after that")
    add("--together", type=int, default=8, help="runs side by side")
    add("--collect", nargs="+", type=Path, help="only append rows of others")
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--table", action="store_true", help="print tables; runs nothing")
    add("--plan", action="store_true", help="print what is left to run")
    options = parser.parse_args()
    if options.together < 1:
        parser.error("--together must be 1 or more")
    if options.table:
        table(rows.read(options.csv))
        return
    if options.collect:
        print(rows.collect(options.csv, Run._fields, options.collect), "rows")
        return
    if options.data_dir is None and not options.plan:
        parser.error("--data-dir is needed to train")

    started = time.monotonic()
    done = {tuple(r[k] for k in Run._fields) for r in rows.read(options.csv)}
    left = [r for r in plan(options.seeds, options.tasks) if r not in done]
    while left:
        runs = [run for run in left if cell_of(run) == cell_of(left[0])]
        runs = runs[: options.together]
        left = [run for run in left if run not in runs]
        if options.plan:
            print(*runs, sep="\n")
            continue
        minutes = (time.monotonic() - started) / 60
        if (
            options.limit_minutes is not None
            and minutes > options.limit_minutes
        ):
            break
        first = runs[0]
        seed, rate = int(first.seed), float(first.rate)
        if first.optimizer == "Adam":
            rate *= OF_ADAM
        results, seconds = side_by_side.train(
            first.task,
            read(first.task, first.noise, seed, options.data_dir),
            [side_by_side.Branch(partial(loss_of, run)) for run in runs],
            seed,
            first.optimizer,
            rate,
        )
        keras.backend.clear_session()
        new = [
            {
                **run._asdict(),
                **{name: f"{getattr(result, name):.4f}" for name in RESULTS},
                "seconds": f"{seconds / len(runs):.1f}",
            }
            for run, result in zip(runs, results, strict=True)
        ]
        rows.append(options.csv, new)
        for row in new:
            print(*row.values(), sep=", ", flush=True)


def cell_of(run: Run) -> tuple[str, ...]:
    """The settings that runs trained side by side share."""
    return (run.task, run.noise, run.optimizer, run.rate, run.seed)


if __name__ == "__main__":
    main()
