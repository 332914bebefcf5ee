"""How well the methods find and correct wrong labels.

    python benchmarks/label_finding.py --data-dir FOLDER

`tasks.py` describes `FOLDER`. For every task and kind of noise,
`label_finding.csv` gets the error of the estimated rate and how well each score
finds the wrong labels, and `label_mending.csv` gets the accuracy of a network
on the cleaned data. Existing rows are not measured again, so a stopped run
continues where it was. `--table` prints both tables, and
`--plot docs/label_finding.png` plots the precision of the suspects.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import label_finding_table
import numpy as np
import rows
from label_data import BATCH, LOSSES, MENDED, TASKS, Data

from keras_noisy.quality import PredictionQuality

#: The method that runs last.
LAST = "neighbors, posterior"
WAYS = ("given", "drop", "relabel", "weight", "soft", "cleanlab", "true")
#: Files of a folder.
FINDING, MENDING = "label_finding.csv", "label_mending.csv"


def area(wrong: np.ndarray, score: np.ndarray) -> float:
    """Area under precision over recall, as a sum of steps."""
    hits = wrong[np.argsort(-score, kind="stable")]
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else np.nan


def measures(
    wrong: np.ndarray, score: np.ndarray | None, suspects: np.ndarray
) -> dict[str, float]:
    found = np.zeros(len(wrong), bool)
    found[suspects] = True
    precision = wrong[found].mean() if found.any() else 0.0
    recall = found[wrong].mean()
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    values = {
        "rate": wrong.mean(),
        "estimated": len(suspects) / len(wrong),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "pr_auc": np.nan if score is None else area(wrong, score),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def answers(
    data: Data,
) -> Iterator[tuple[str, np.ndarray, np.ndarray | None, float]]:
    """Name, suspects, score and seconds of each method.

    cleanlab has the same seconds as the predictions. Neighbors are found before
    the clock starts.
    """
    start = time.perf_counter()

    def asked(quality: Any, names: dict[str, str]) -> Iterator[tuple]:
        seconds = time.perf_counter() - start
        for name, score in names.items():
            yield (
                name,
                quality.suspects(score=score),
                quality.scores(score),
                seconds,
            )

    yield from asked(
        data.watched[1],
        {"loss": "loss", "margin": "margin", "AUM": "area_under_margin"},
    )
    start = time.perf_counter()
    predicted = PredictionQuality(data.out_of_fold, data.labels)
    yield from asked(predicted, {"out of fold": "confidence"})
    issues = data.issues
    yield "cleanlab", issues, None, time.perf_counter() - start
    data.neighbors  # noqa: B018
    start = time.perf_counter()
    data.votes.estimate()
    names = data.votes.evidence.names
    yield from asked(data.votes, {f"neighbors, {s}": s for s in names})


def find(data: Data, cell: dict[str, str], done: set[str], file: Path) -> None:
    """Append a row for each missing method."""
    for method, suspects, score, seconds in answers(data):
        if method in done:
            continue
        row = {
            **cell,
            "samples": len(data.labels),
            "epochs": data.epochs,
            "method": method,
            **measures(data.wrong, score, suspects),
            "seconds": round(seconds, 1),
        }
        print(*row.values(), sep=", ", flush=True)
        rows.append(file, [row])


def mend(
    data: Data, cell: dict[str, str], way: str, loss: str
) -> dict[str, Any]:
    x, y, *weight = data.mended(way)
    keras.utils.set_random_seed(0)
    model = data.network(len(x), loss)
    start = time.perf_counter()
    model.fit(
        x,
        y,
        BATCH,
        data.epochs,
        sample_weight=weight[0] if weight else None,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    logits = model.predict(data.x_test, batch_size=2000, verbose=0)
    accuracy = np.mean(logits.argmax(axis=1) == data.y_test)
    row = {
        **cell,
        "labels": way,
        "loss": loss,
        "samples": len(x),
        "epochs": data.epochs,
        "accuracy": round(float(accuracy), 4),
        "seconds": round(seconds, 1),
    }
    print(*row.values(), sep=", ", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="with the files that tasks.py lists")
    add("--samples", type=int, help="the first of each task only")
    add("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    add("--noises", nargs="+", metavar="NOISE", help="such as 'symmetric .4'")
    add("--only", choices=["find", "mend"], help="the other one is left out")
    folder = Path(__file__).parent
    add("--output", type=Path, default=folder, help="folder of the CSV files")
    add("--table", action="store_true", help="print what is measured")
    add("--plot", type=Path, metavar="PNG", help="draw what is measured")
    options = parser.parse_args()
    found = rows.read(options.output / FINDING)
    if options.table:
        label_finding_table.show(found, rows.read(options.output / MENDING))
    if options.plot:
        label_finding_table.draw(found, options.plot)
    if options.table or options.plot:
        return
    if options.data_dir is None:
        parser.error("--data-dir is needed")
    if options.samples is not None and options.output == folder:
        parser.error("--samples needs --output: its rows are of other data")
    options.output.mkdir(parents=True, exist_ok=True)
    for task in options.tasks:
        for kind in TASKS[task][0]:
            if options.noises is None or kind in options.noises:
                run(task, kind, options)


def run(task: str, kind: str, options: argparse.Namespace) -> None:
    """Measure the missing rows of a task and a kind of noise."""
    cell = {"task": task, "noise": kind}
    finding, mending = options.output / FINDING, options.output / MENDING
    found = {
        row["method"]
        for row in rows.read(finding)
        if (row["task"], row["noise"]) == (task, kind)
    }
    to_find = options.only != "mend" and LAST not in found
    keys = ("task", "noise", "labels", "loss")
    done = {tuple(row[key] for key in keys) for row in rows.read(mending)}
    to_mend = [
        (way, loss)
        for way in WAYS
        for loss in LOSSES
        if options.only != "find"
        and kind in MENDED[task]
        and (task, kind, way, loss) not in done
    ]
    if not (to_find or to_mend):
        return
    data = Data(task, kind, options.data_dir, options.samples)
    if to_find:
        find(data, cell, found, finding)
    for way, loss in to_mend:
        rows.append(mending, [mend(data, cell, way, loss)])


if __name__ == "__main__":
    main()
