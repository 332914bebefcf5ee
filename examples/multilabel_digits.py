"""
Title: Several labels per image, some missing and some wrong
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: Learn from wrong labels which digits are in a number.
Accelerator: None
"""

"""
## Introduction

An image has several labels, one for each thing that can be in it, yes or no.
Annotators do not look for everything, so many labels are missing and count as
"no" in the data. Others are simply wrong. A network trained with binary
cross-entropy memorizes them.

We compare, on the same images and from the same initial weights:

- `BCE`: binary cross-entropy of Keras.
- `Binary(GCE)`, `Binary(MAE)` and `Binary(SCE)`: robust losses for one label
  per sample, applied to each label.
- `Binary(CE, noise_rates)`: cross-entropy with a forward correction, which
  knows how often a label flips.
- `ASL`, `Hill` and `SPLC`, which are made for missing labels.

The script needs no download: each image is a number of three handwritten
digits, and its ten labels say which digits are in it.
"""

"""
## Setup

The digits come from scikit-learn. Choose the backend with the environment
variable `KERAS_BACKEND`.
"""

import argparse
import csv
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.metrics import average_precision_score

import keras_noisy
from keras_noisy import losses
from keras_noisy.datasets import load

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python multilabel_digits.py --help` lists the options of the script. In a
notebook, write them into the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Compare losses on several labels, some missing or wrong.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option(
    "--missing", type=float, default=0.5, help="share of the labels 1 that is 0"
)
option(
    "--flipped", type=float, default=0.0, help="share of the labels 0 that is 1"
)
option("--samples", type=int, default=10_000, help="size of the training set")
option("--epochs", type=int, default=20, help="passes over the training set")
option("--width", type=int, default=512, help="units of the hidden layers")
option("--seed", type=int, default=0, help="seed of the data and of training")
option(
    "--losses",
    nargs="+",
    metavar="LOSS",
    help="some of the names in the table; all if none is named",
)
option("--csv", type=Path, help="file to which a row for each loss is added")
option("--smoke", action="store_true", help="a trial of a few seconds")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
for name in ("missing", "flipped"):
    if not 0 <= getattr(options, name) < 1:
        parser.error(f"--{name} must be at least 0 and below 1")
if options.missing + options.flipped >= 1:
    parser.error("--missing and --flipped must have a sum below 1")
if options.epochs < 1:
    parser.error("--epochs must be 1 or more")
if options.csv and not options.csv.parent.is_dir():
    parser.error("--csv must be in a folder that exists")
if options.smoke:
    options.samples, options.epochs, options.width = 500, 2, 32

"""
## Data

The rates say how often a 0 is labeled 1, and a 1 is labeled 0. The labels of
the test images are clean.
"""

rates = (options.flipped, options.missing)
data = load(
    "multilabel_digits", rates, seed=options.seed, num_samples=options.samples
)
x_train = data.x_train.astype("float32") / 255
x_test = data.x_test.astype("float32") / 255
print(
    f"{len(x_train)} images with {data.y_clean.sum(axis=1).mean():.2f} labels "
    f"each, of which {data.y_train.sum(axis=1).mean():.2f} are given; "
    f"{data.rate:.1%} of all are wrong."
)

"""
## The network

The network has two hidden layers and an output for each label. The outputs are
logits.
"""


def build_model(loss):
    """The network, with new weights, compiled."""
    keras.utils.set_random_seed(options.seed)
    inputs = keras.Input(x_train.shape[1:])
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(options.width, activation="relu")(x)
    outputs = layers.Dense(data.num_classes)(x)
    if hasattr(loss, "connect"):  # SPLC counts the batches.
        outputs = loss.connect(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return model


"""
## The losses

`SPLC` begins to add labels after an epoch.
"""

batch_size = 128
epoch = int(np.ceil(len(x_train) / batch_size))
logits = {"from_logits": True}
runs = {
    "BCE": keras.losses.BinaryCrossentropy(**logits),
    "Binary(GCE)": losses.Binary(losses.GCE(**logits)),
    "Binary(MAE)": losses.Binary(losses.MAE(**logits)),
    "Binary(SCE)": losses.Binary(losses.SCE(**logits)),
    "Binary(CE, noise_rates)": losses.Binary(
        losses.CrossEntropy(**logits), noise_rates=rates
    ),
    "ASL": losses.AsymmetricLoss(**logits),
    "Hill": losses.Hill(**logits),
    "SPLC": losses.SPLC(start=epoch, **logits),
}
unknown = set(options.losses or ()) - set(runs)
if unknown:
    parser.error(f"--losses {unknown.pop()!r} is none of {list(runs)}")
if options.losses:
    runs = {name: runs[name] for name in options.losses}

"""
## Training, and what is measured

We measure the mean average precision on the test images: how well the outputs
of a label rank the images, averaged over the labels. It needs no threshold, so
it is fair to losses that predict low probabilities when labels are missing.
"""


def mean_average_precision(model):
    """Mean average precision on clean labels, in percent."""
    scores = model.predict(x_test, batch_size=1_000, verbose=0)
    return 100 * average_precision_score(data.y_test, scores, average="macro")


class Watch(keras.callbacks.Callback):
    """Measures after every epoch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(mean_average_precision(self.model))


results = {}
for name, loss in runs.items():
    watch = Watch()
    build_model(loss).fit(
        x_train,
        data.y_train,
        batch_size=batch_size,
        epochs=options.epochs,
        callbacks=[watch],
        verbose=0,
    )
    results[name] = watch.found

"""
## Results
"""

print("| Loss | mean average precision | at the best epoch |")
print("| --- | --- | --- |")
for name, found in results.items():
    print(f"| {name} | {found[-1]:.1f} | {max(found):.1f} |")

if options.csv:
    is_new = not options.csv.exists()
    with options.csv.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(
                ["missing", "flipped", "seed", "loss", "last", "best"]
            )
        for name, found in results.items():
            row = [options.missing, options.flipped, options.seed, name]
            writer.writerow([*row, f"{found[-1]:.2f}", f"{max(found):.2f}"])
