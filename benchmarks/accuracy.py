"""The accuracy of many losses on many data sets, noises and seeds.

    python benchmarks/accuracy.py --data-dir FOLDER --limit-minutes 60
    python benchmarks/accuracy.py --table

Each training appends a row to `accuracy.csv`. Trainings with a row are skipped,
so a stopped benchmark continues where it was. All losses of a cell (task,
noise and seed) use the same data, initial weights and batches, and `--together`
many of them train side by side. Nothing is tuned for a cell: SGD with momentum
0.9 and a learning rate of 0.1 that decays along a cosine, and for clicks Adam
with rate 0.01, the best of 0.001, 0.003 and 0.01 for CE. A tenth of the samples
for training is held out with its given labels: like a user, one can choose an
epoch or a hyperparameter by these. `accuracy_losses.py` defines the losses,
`tasks.py` the tasks and the contents of `FOLDER`, and `accuracy_table.py` the
tables; `--write` writes them into the pages.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import accuracy_table
import keras
import rows
import side_by_side
from accuracy_losses import EVERY, GROUPS
from tasks import read

KEYS = ("task", "noise", "loss", "seed")
SIX = ("symmetric .4", "asymmetric .4", "clean", "symmetric .2")
SIX += ("symmetric .6", "symmetric .8")
#: The noises of each task, the most informative ones first.
CELLS = {
    "features-100": ("symmetric .4", "human", *SIX[1:]),
    "digits-1000": SIX,
    "digits-100": SIX,
    "fashion-mnist": SIX,
    "cnn-8": ("symmetric .4", "human", "clean"),
    "cnn-30": ("symmetric .4", "human", "clean"),
    "clicks": ("clean",),
}
HELD_OUT = 0.1
FOLDER = Path(__file__).resolve().parent
#: Pages with tables between marks.
PAGES = (
    FOLDER / "accuracy.md",
    FOLDER.parent / "docs" / "accuracy.md",
    FOLDER.parent / "docs" / "tricks.md",
    FOLDER.parent / "docs" / "tuning.md",
    FOLDER.parent / "README.md",
)
#: Losses that would need an array of samples times classes.
TOO_LARGE = {"clicks": {"ELR", "SELC", "SOP"}}


def plan(options: argparse.Namespace) -> Iterator[tuple[str, str, int, list]]:
    """Cells, and the names of their missing losses."""
    done = {tuple(r[k] for k in KEYS) for r in rows.read(options.csv)}
    names = options.losses
    if names is None:
        names = [name for group in options.groups for name in GROUPS[group]]
    for seed, task in itertools.product(options.seeds, options.tasks):
        for noise in CELLS[task]:
            if options.noises is not None and noise not in options.noises:
                continue
            left = [
                name
                for name in names
                if (task, noise, name, str(seed)) not in done
                and name not in TOO_LARGE.get(task, ())
            ]
            for mixed in (False, True):
                some = [name for name in left if EVERY[name].mixed == mixed]
                while some:
                    yield task, noise, seed, some[: options.together]
                    some = some[options.together :]


def has_gpu() -> bool:
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    return any("gpu" in name for name in keras.distribution.list_devices())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data-dir",
        type=Path,
        help="with the files that tasks.py lists, if a task is not of digits",
    )
    add("--tasks", nargs="+", choices=CELLS, default=[*CELLS])
    add("--noises", nargs="+", choices=[*SIX, "human"])
    add("--losses", nargs="+", metavar="LOSS", choices=EVERY)
    add("--groups", nargs="+", choices=GROUPS, default=["losses", "tricks"])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--together", type=int, default=8, help="trainings side by side")
    add("--precision", help="such as float32; mixed_float16 if there is a GPU")
    add("--limit-minutes", type=float, help="start no training after that")
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--collect", nargs="+", type=Path, help="only append rows of others")
    add("--table", action="store_true", help="print tables; runs nothing")
    add("--write", action="store_true", help="and write them into the pages")
    add("--plan", action="store_true", help="print what is left to run")
    options = parser.parse_args()
    if options.together < 1:
        parser.error("--together must be 1 or more")
    if options.table or options.write:
        known = accuracy_table.tables(rows.read(options.csv), CELLS)
        print(known["whole"])
        for page in PAGES if options.write else ():
            accuracy_table.fill(page, known)
        return
    if options.collect:
        print(rows.collect(options.csv, KEYS, options.collect), "new rows")
        return
    drawn = all(task.startswith("digits") for task in options.tasks)
    if options.data_dir is None and not (options.plan or drawn):
        parser.error("--data-dir is needed for tasks other than digits")

    started = time.monotonic()
    gpu = has_gpu()
    precision = options.precision or ("mixed_float16" if gpu else "float32")
    keras.config.set_dtype_policy(precision)
    for task, noise, seed, names in plan(options):
        if options.plan:
            print(task, noise, seed, ", ".join(names), sep="; ")
            continue
        minutes = (time.monotonic() - started) / 60
        if (
            options.limit_minutes is not None
            and minutes > options.limit_minutes
        ):
            break
        data = read(task, noise, seed, options.data_dir)
        branches = [EVERY[name] for name in names]
        optimizer = "Adam" if task == "clicks" else "SGD"
        results, seconds = side_by_side.train(
            task,
            data,
            branches,
            seed,
            optimizer,
            0.01 if optimizer == "Adam" else 0.1,
            HELD_OUT,
        )
        keras.backend.clear_session()
        new = [
            {
                **dict(zip(KEYS, (task, noise, name, seed), strict=True)),
                **{k: f"{v:.4f}" for k, v in result._asdict().items()},
                "seconds": f"{seconds / len(names):.1f}",
                "together": len(names),
                "precision": precision,
                "device": "gpu" if gpu else "cpu",
            }
            for name, result in zip(names, results, strict=True)
        ]
        rows.append(options.csv, new)
        for row in new:
            print(*row.values(), sep=", ", flush=True)


if __name__ == "__main__":
    main()
