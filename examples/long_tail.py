"""
Title: Rare classes and wrong labels at once
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: Class prior, Gaussian cloud and a second stage on noisy long tails.
Accelerator: None
"""

"""
## Introduction

In most data from the wild a few classes have most of the samples. A network
trained on such data favors these classes: it predicts frequent classes well and
rare classes hardly ever. Wrong labels make this worse, since a rare class soon
has as many wrong labels as right ones.

We compare the methods of `keras-noisy` for such data, on the same samples and
from the same initial weights:

- `CE`: cross-entropy.
- `CE, adjusted`: with `logit_adjustment`, the number of samples of each class.
- `GCL 1`: Gaussian clouded logits, a `CosineDense` classifier with a
  `GaussianCloud`.
- `GCL 2`: the same network after `retrain_classifier`, on samples drawn such
  that all classes are equally frequent.
- `GCE` with `q="auto"` and `ScaledMAE`, which are made for wrong labels: alone,
  with adjustment, with cloud, and with both.

The script needs no download: `--dataset digits` has a hundred classes of
handwritten numbers. `--dataset cifar100` reads features of CIFAR-100 from your
own files, see below.
"""

"""
## Setup

The digits come from scikit-learn. Choose the backend with the environment
variable `KERAS_BACKEND`.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import losses
from keras_noisy.datasets import (
    ImageDataset,
    class_weights,
    load,
    long_tail,
    sample_weights,
)
from keras_noisy.layers import CosineDense, GaussianCloud
from keras_noisy.noise import corrupt
from keras_noisy.training import retrain_classifier

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python long_tail.py --help` lists the options of the script. In a notebook,
write them into the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Compare losses on data with rare classes and wrong labels.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--dataset", choices=["digits", "cifar100"], default="digits")
option(
    "--data-dir",
    type=Path,
    help="folder with features/cifar100_efficientnet_lite0.npz (int8 arrays "
    "`train` and `test`) and cifar100/labels.npz (`train` and `test`)",
)
option(
    "--imbalance",
    type=float,
    default=0.02,
    help="samples of the rarest class over those of the most frequent one",
)
option("--rate", type=float, default=0.2, help="share of wrong labels")
option("--epochs", type=int, default=30, help="passes over the training set")
option("--epochs-2", type=int, default=10, help="of the second stage")
option("--width", type=int, default=512, help="units of the hidden layers")
option("--strength", type=float, default=0.5, help="of the Gaussian cloud")
option("--seed", type=int, default=0, help="seed of the data and of training")
option(
    "--methods",
    nargs="+",
    metavar="METHOD",
    help="some of the names in the table; all if none is named. GCL 1 has "
    "GCL 2 with it",
)
option("--smoke", action="store_true", help="a trial of a few seconds")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if min(options.epochs, options.epochs_2) < 1:
    parser.error("--epochs and --epochs-2 must be 1 or more")
if options.dataset == "cifar100" and options.data_dir is None:
    parser.error("--dataset cifar100 needs --data-dir")
if not 0 < options.imbalance <= 1:
    parser.error("--imbalance must be above 0 and at most 1")
if not 0 <= options.rate < 1:
    parser.error("--rate must be at least 0 and below 1")

"""
## Data with a long tail, and then wrong labels

Images and features are bytes, so one reader handles both; features are images
with one row.
"""

num_samples = 6_000 if options.smoke else 30_000
if options.smoke:
    options.epochs = options.epochs_2 = 1
    options.width, options.imbalance = 32, 0.1

if options.dataset == "digits":
    data = load(
        "digits", num_classes=100, num_samples=num_samples, seed=options.seed
    )
    x_train, clean = data.x_train, data.y_clean
    x_test, y_test = data.x_test, data.y_test
else:
    file = options.data_dir / "features" / "cifar100_efficientnet_lite0.npz"
    with np.load(file) as features:
        x_train, x_test = (
            (features[part].astype("int16") + 128).astype("uint8")[:, None]
            for part in ("train", "test")
        )
    with np.load(options.data_dir / "cifar100" / "labels.npz") as labels:
        clean, y_test = labels["train"], labels["test"]
    clean, y_test = clean.astype("int64"), y_test.astype("int64")
num_classes = int(clean.max()) + 1

kept = long_tail(clean, options.imbalance, seed=options.seed)
x_train, clean = x_train[kept][..., None], clean[kept]
x_test = x_test[..., None]

"""
Wrong labels are drawn from the other classes in proportion to their frequency,
as in Wei et al., Robust long-tailed learning under label noise, 2021 (arXiv
2108.11569). With symmetric noise nearly all labels of a rare class would be
wrong.
"""

shares = np.bincount(clean) / len(clean)
transition = options.rate * shares / (1 - shares[:, None])
np.fill_diagonal(transition, 1 - options.rate)
y_train, wrong, _ = corrupt(clean, transition, seed=options.seed)
counts = np.bincount(y_train, minlength=num_classes) + 1
print(
    f"{len(y_train)} samples of {num_classes} classes, from "
    f"{counts.max() - 1} to {counts.min() - 1} labels each, "
    f"{np.mean(wrong):.1%} of them wrong."
)

"""
## The network

The network has two hidden layers and a classifier: `Dense`, or `CosineDense`
with a cloud. The outputs are logits.
"""


def build_model(clouded):
    """The network, with new weights."""
    inputs = keras.Input(shape=x_train.shape[1:])
    x = layers.Flatten()(inputs)
    x = layers.BatchNormalization()(x)
    for _ in range(2):
        x = layers.Dense(options.width)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    if clouded:
        cloud = GaussianCloud(counts, options.strength, seed=options.seed)
        return keras.Model(inputs, CosineDense(num_classes, 30.0, cloud)(x))
    return keras.Model(inputs, layers.Dense(num_classes)(x))


"""
## The losses

Every loss takes the counts as its `logit_adjustment`.
"""

plain = {"from_logits": True, "num_classes": num_classes}
adjusted = {**plain, "logit_adjustment": counts}
runs = {
    "CE": (False, losses.CrossEntropy(**plain)),
    "CE, adjusted": (False, losses.CrossEntropy(**adjusted)),
    "GCL 1": (True, losses.CrossEntropy(**plain)),
    "GCE auto": (False, losses.GCE("auto", **plain)),
    "GCE auto, adjusted": (False, losses.GCE("auto", **adjusted)),
    "GCE auto, cloud": (True, losses.GCE("auto", **plain)),
    "GCE auto, cloud, adjusted": (True, losses.GCE("auto", **adjusted)),
    "ScaledMAE": (False, losses.ScaledMAE(**plain)),
    "ScaledMAE, adjusted": (False, losses.ScaledMAE(**adjusted)),
    "ScaledMAE, cloud": (True, losses.ScaledMAE(**plain)),
    "ScaledMAE, cloud, adjusted": (True, losses.ScaledMAE(**adjusted)),
}
unknown = set(options.methods or ()) - set(runs)
if unknown:
    parser.error(f"--methods {unknown.pop()!r} is none of {list(runs)}")
if options.methods:
    runs = {name: runs[name] for name in options.methods}

"""
## Training, and what is measured

Balanced accuracy is the mean of the accuracies of all classes. Head, middle and
tail are a third of the classes each, from the most frequent to the rarest.
"""


def accuracies(model):
    """Balanced accuracy of all classes, and of head, middle and tail."""
    predicted = model.predict(
        x_test.astype("float32") / 255, batch_size=1_000, verbose=0
    ).argmax(axis=-1)
    hits = np.bincount(
        y_test, weights=predicted == y_test, minlength=num_classes
    )
    recalls = hits / np.bincount(y_test, minlength=num_classes)
    parts = [recalls, *np.array_split(recalls, 3)]
    return [float(np.nanmean(part)) for part in parts]


batch_size = 128
steps = options.epochs * int(np.ceil(len(y_train) / batch_size))
results = {}
for name, (clouded, loss) in runs.items():
    keras.utils.set_random_seed(options.seed)
    model = build_model(clouded)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9, weight_decay=5e-4), loss
    )
    model.fit(
        x_train.astype("float32") / 255,
        y_train,
        batch_size=batch_size,
        epochs=options.epochs,
        verbose=0,
    )
    results[name] = accuracies(model)
    if name == "GCL 1":
        balanced = ImageDataset(
            (x_train, y_train),
            batch_size,
            training=True,
            seed=options.seed,
            sample_weight=sample_weights(y_train, class_weights(y_train)),
        )
        second = retrain_classifier(
            model, balanced, epochs=options.epochs_2, scale=20.0, verbose=0
        )
        results["GCL 2"] = accuracies(second)

"""
## Results
"""

print("| Method | Balanced accuracy | head | middle | tail |")
print("| --- | --- | --- | --- | --- |")
for name, row in results.items():
    print(f"| {name} | {' | '.join(f'{100 * x:.1f}' for x in row)} |")

"""
## What it shows

Adjustment and cloud each raise the accuracy of the tail. On the digits, where
networks memorize wrong labels, a robust loss helps further. Adjustment is an
argument of every loss and the cloud is a layer, so you can combine both, though
together they can be too strong:

```python
head = CosineDense(100, cloud=GaussianCloud(counts))
loss = losses.GCE("auto", num_classes=100, from_logits=True)
```
"""
