"""How well wrong labels are found and mended, on features of CIFAR-100.

    python benchmarks/label_finding.py --data-dir FOLDER

`FOLDER` holds `features/cifar100_efficientnet_lite0.npz` (int8 arrays `train`
and `test`), `cifar100/labels.npz` and `cifar_n/cifarn_original_order.npz`. For
every kind of noise, `label_finding.csv` gets the error of the estimated rate
and how well each score finds the wrong labels, and `label_mending.csv` the
accuracy of a head on what comes out. Rows that are there are not measured
again, so that a run goes on where it stopped. `--table` prints both.
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_noisy import noise
from keras_noisy.callbacks import LabelQuality
from keras_noisy.losses import GCE, CrossEntropy, ScaledMAE
from keras_noisy.quality import (
    FeatureQuality,
    PredictionQuality,
    find_label_issues,
    nearest_neighbors,
)

KINDS = ("human", "symmetric .2", "symmetric .4", "symmetric .6",
         "asymmetric .4", "instance .4")  # fmt: skip
#: Those of which heads are trained on what comes out.
MENDED = ("human", "symmetric .4", "asymmetric .4")
CLASSES = 100
PLAIN = {"from_logits": True, "num_classes": CLASSES}
LOSSES = {
    "CrossEntropy": lambda: CrossEntropy(**PLAIN),
    "GCE auto": lambda: GCE("auto", **PLAIN),
    "ScaledMAE": lambda: ScaledMAE(**PLAIN),
}
FINDING, MENDING = (
    Path(__file__).with_name(f"label_{name}.csv")
    for name in ("finding", "mending")
)


class Data:
    """Standardized features, true labels, and wrong ones of every kind."""

    def __init__(self, folder: Path, samples: int):
        with np.load(
            folder / "features/cifar100_efficientnet_lite0.npz"
        ) as file:
            x, x_test = file["train"].astype("float32"), file["test"]
        mean, std = x.mean(axis=0), x.std(axis=0)
        self.x = ((x - mean) / std)[:samples]
        self.x_test = (x_test - mean) / std
        with np.load(folder / "cifar100/labels.npz") as file:
            self.clean = file["train"][:samples].astype("int64")
            self.y_test = file["test"].astype("int64")
        with np.load(folder / "cifar_n/cifarn_original_order.npz") as file:
            self.human = file["c100_noisy_label"][:samples].astype("int64")
        self.near: Any = None

    def labels(self, kind: str) -> np.ndarray:
        name, _, rate = kind.partition(" ")
        if name == "human":
            return self.human
        if name == "instance":
            found = noise.instance_dependent(self.x, self.clean, float(rate))
            return found.labels
        matrix = (
            noise.symmetric(CLASSES, float(rate))
            if name == "symmetric"
            else noise.asymmetric("cifar100_blocks", float(rate))
        )
        return noise.corrupt(self.clean, matrix, seed=0).labels

    def neighbors(self) -> Any:
        if self.near is None:
            self.near = nearest_neighbors(self.x, 51)
        return self.near


def head(epochs: int, count: int, loss: Any = None) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((384,)),
            layers.Dense(512, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES),
        ]
    )
    steps = epochs * -(-count // 256)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(
        keras.optimizers.SGD(rate, 0.9), loss or CrossEntropy(**PLAIN)
    )
    return model


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
    data: Data, labels: np.ndarray, epochs: int
) -> dict[str, tuple[Any, np.ndarray | None, float]]:
    """Suspects, score and seconds of each method."""
    found: dict[str, Any] = {}

    def ask(quality: Any, names: dict[str, str], seconds: float) -> None:
        for name, score in names.items():
            suspects = quality.suspects(score=score)
            found[name] = suspects, quality.scores(score), seconds

    keras.utils.set_random_seed(0)
    start = time.perf_counter()
    quality = LabelQuality(data.x, labels, from_logits=True, batch_size=2048)
    head(epochs, len(labels)).fit(
        data.x, labels, 256, epochs, callbacks=[quality], verbose=0
    )
    seconds = time.perf_counter() - start
    training = {"loss": "loss", "margin": "margin", "AUM": "area_under_margin"}
    ask(quality, training, seconds)

    start = time.perf_counter()
    p = noise.out_of_fold_probabilities(
        lambda: head(epochs, len(labels) * 2 // 3),
        data.x,
        labels,
        folds=3,
        from_logits=True,
        verbose=0,
        epochs=epochs,
        batch_size=256,
    )
    seconds = time.perf_counter() - start
    ask(PredictionQuality(p, labels), {"out of fold": "confidence"}, seconds)
    start = time.perf_counter()
    issues = find_label_issues(p, labels, n_jobs=1)
    seconds += time.perf_counter() - start
    found["cleanlab"] = issues, None, seconds

    near = data.neighbors()
    start = time.perf_counter()
    votes = FeatureQuality(None, labels, neighbors=near)
    votes.estimate()
    seconds = time.perf_counter() - start
    ask(votes, {f"neighbors, {s}": s for s in votes.evidence.names}, seconds)
    return found


def find(data: Data, kind: str, epochs: int) -> list[dict[str, Any]]:
    labels = data.labels(kind)
    wrong = labels != data.clean
    rows = []
    for method, (suspects, score, seconds) in answers(
        data, labels, epochs
    ).items():
        rows.append(
            {
                "noise": kind,
                "samples": len(labels),
                "epochs": epochs,
                "method": method,
                **measures(wrong, score, suspects),
                "seconds": round(seconds, 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def treatments(data: Data, kind: str, epochs: int) -> dict[str, Callable]:
    """What a head is trained on, made when it is needed."""
    labels = data.labels(kind)
    votes: list[FeatureQuality] = []

    def neighbors(action: str) -> Any:
        if not votes:
            near = data.neighbors()
            votes.append(FeatureQuality(None, labels, neighbors=near))
        return votes[0].clean(data.x, labels, action)

    def cleanlab() -> Any:
        p = noise.out_of_fold_probabilities(
            lambda: head(epochs, len(labels) * 2 // 3),
            data.x,
            labels,
            folds=3,
            from_logits=True,
            verbose=0,
            epochs=epochs,
            batch_size=256,
        )
        kept = np.ones(len(labels), bool)
        kept[find_label_issues(p, labels, n_jobs=1)] = False
        return data.x[kept], labels[kept]

    return {
        "given": lambda: (data.x, labels),
        "drop": lambda: neighbors("drop"),
        "relabel": lambda: neighbors("relabel"),
        "weight": lambda: neighbors("weight"),
        "soft": lambda: neighbors("soft"),
        "cleanlab": cleanlab,
        "true": lambda: (data.x, data.clean),
    }


def mend(data: Data, kind: str, treatment: str, epochs: int, done: set) -> Any:
    made = None
    for loss, build in LOSSES.items():
        if (kind, treatment, loss) in done:
            continue
        keras.utils.set_random_seed(0)
        made = made or treatments(data, kind, epochs)[treatment]()
        x, y, *weight = made
        model = head(epochs, len(x), build())
        start = time.perf_counter()
        weight = weight[0] if weight else None
        model.fit(x, y, 256, epochs, sample_weight=weight, verbose=0)
        seconds = time.perf_counter() - start
        logits = model.predict(data.x_test, batch_size=2000, verbose=0)
        accuracy = np.mean(logits.argmax(axis=1) == data.y_test)
        yield {
            "noise": kind,
            "labels": treatment,
            "loss": loss,
            "samples": len(x),
            "epochs": epochs,
            "accuracy": round(float(accuracy), 4),
            "seconds": round(seconds, 1),
        }


def rows_of(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, rows: list[dict[str, Any]]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def table() -> None:
    print("| noise | method | rate | estimated | precision | F1 | PR-AUC |")
    print("|" + " --- |" * 7)
    for row in rows_of(FINDING):
        cells = [row["noise"], row["method"]]
        for name in ("rate", "estimated", "precision", "f1", "pr_auc"):
            value = float(row[name])
            cells.append("" if np.isnan(value) else f"{100 * value:.1f}")
        print(f"| {' | '.join(cells)} |")
    print(f"\n| noise | labels | {' | '.join(LOSSES)} |")
    print("|" + " --- |" * (2 + len(LOSSES)))
    cells_of: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows_of(MENDING):
        cells = cells_of.setdefault((row["noise"], row["labels"]), {})
        cells[row["loss"]] = f"{100 * float(row['accuracy']):.1f}"
    for (kind, treatment), cells in cells_of.items():
        values = " | ".join(cells.get(loss, "") for loss in LOSSES)
        print(f"| {kind} | {treatment} | {values} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path)
    add("--samples", type=int, default=50_000)
    add("--epochs", type=int, default=8)
    add("--noise", nargs="+", choices=KINDS, default=KINDS)
    add("--table", action="store_true", help="print what is measured")
    arguments = parser.parse_args()
    if arguments.table:
        return table()
    if arguments.data_dir is None:
        parser.error("--data-dir is needed")
    data = Data(arguments.data_dir, arguments.samples)
    for kind in arguments.noise:
        if kind not in {row["noise"] for row in rows_of(FINDING)}:
            append(FINDING, find(data, kind, arguments.epochs))
    for kind in arguments.noise:
        if kind not in MENDED:
            continue
        for treatment in treatments(data, kind, arguments.epochs):
            done = {
                (row["noise"], row["labels"], row["loss"])
                for row in rows_of(MENDING)
            }
            for row in mend(data, kind, treatment, arguments.epochs, done):
                print(row, flush=True)
                append(MENDING, [row])


if __name__ == "__main__":
    main()
