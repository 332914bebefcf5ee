"""How well the scores of `LabelQuality` find the wrong labels.

    python benchmarks/label_quality.py --data-dir FOLDER

A small convolutional network trains on CIFAR-100 with the human labels of
CIFAR-100N and with 40 % symmetric noise, and each score ranks the training
samples. The script writes the precision and recall of the worst n to a CSV
file, for n = 500, 5000 and the true number of wrong labels, at which both are
equal. Without a `FOLDER` of the official files Keras downloads CIFAR-100, but
not the human labels, which are then left out.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import keras
from keras import layers

from keras_noisy import losses
from keras_noisy.callbacks import LabelQuality
from keras_noisy.datasets import NoisyDataset, load

SCORES = ("area_under_margin", "margin", "loss", "forgetting")


def data_sets(folder: Path | None) -> dict[str, NoisyDataset]:
    symmetric = load("cifar100", "symmetric", rate=0.4, data_dir=folder)
    found = {"symmetric 40 %": symmetric}
    if folder is not None:
        found["human"] = load("cifar100n", data_dir=folder)
    return found


def network() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 64, -2),
            layers.RandomFlip("horizontal"),
        ]
    )
    for filters in (48, 96, 192):
        model.add(layers.Conv2D(filters, 3, 2, "same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(100))
    return model


def measure(
    noise: str, data: NoisyDataset, loss: str, images: int, epochs: int
) -> list[dict[str, Any]]:
    keras.utils.set_random_seed(0)
    x, y = data.x_train[:images], data.y_train[:images]
    clean = data.y_clean[:images]
    quality = LabelQuality(x, y, clean, from_logits=True, batch_size=1000)
    model = network()
    steps = epochs * -(-len(x) // 128)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(2e-3, steps)
        ),
        losses.get(loss, num_classes=100, from_logits=True),
    )
    print(f"\n{noise}, {loss}, {len(x):,} images")
    history = model.fit(
        x, y, batch_size=128, epochs=epochs, callbacks=[quality]
    ).history
    wrong = int((y != clean).sum())
    rows = []
    for score in SCORES:
        for n in (500, 5000, wrong):
            precision, recall = quality.precision_recall(n, score)
            rows.append(
                {
                    "noise": noise,
                    "loss": loss,
                    "images": len(x),
                    "wrong": wrong,
                    "epochs": epochs,
                    "memorization_rate": round(
                        history["memorization_rate"][-1], 4
                    ),
                    "clean_accuracy": round(history["clean_accuracy"][-1], 4),
                    "score": score,
                    "n": n,
                    "precision": round(precision, 4),
                    "recall": round(recall, 4),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="cifar-100-python, CIFAR-100_human.pt")
    add("--losses", nargs="+", default=["CrossEntropy"])
    add("--images", type=int, default=50_000)
    add("--epochs", type=int, default=6)
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    arguments = parser.parse_args()
    rows = []
    for noise, data in data_sets(arguments.data_dir).items():
        for loss in arguments.losses:
            rows += measure(
                noise, data, loss, arguments.images, arguments.epochs
            )
            with arguments.csv.open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    print("\n| noise | loss | score | n | precision | recall |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        shares = (f"{100 * row[k]:.1f} %" for k in ("precision", "recall"))
        names = (row[k] for k in ("noise", "loss", "score"))
        print("|", " | ".join([*names, f"{row['n']:,}", *shares]), "|")


if __name__ == "__main__":
    main()
