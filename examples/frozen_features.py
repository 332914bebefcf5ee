"""
Title: Heads on frozen features, and the labels that are wrong
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: Compute features once, find wrong labels, train heads in seconds.
Accelerator: None
"""

"""
## Introduction

Few people train a network from scratch today. They compute the features of a
pretrained one in a single pass over the images, and train a head on them in
seconds. The labels may still be wrong, and the same features show which ones:

```
x = quality.features(backbone, images)       # once
found = quality.FeatureQuality(x, labels)    # no training
print(found.estimate())                      # how many labels are wrong
x, y = found.clean(x, labels)                # without the suspects
head.fit(x, y)                               # seconds, with any loss
```

This script prints the gain: the accuracy of a head, with several losses, on the
given labels, on labels after `clean` is applied once and twice, and on the true
labels.
"""

"""
## Setup
"""

import argparse
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import losses, noise
from keras_noisy.datasets import load
from keras_noisy.quality import FeatureQuality, features

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python frozen_features.py --help` lists the options of the script. In a
notebook, write them into the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Heads on frozen features, with wrong labels and without.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option(
    "--data-dir",
    type=Path,
    help="a folder with features/cifar100_efficientnet_lite0.npz (int8 arrays "
    "`train` and `test`), cifar100/labels.npz (`train` and `test`) and "
    "cifar_n/cifarn_original_order.npz (`c100_noisy_label`). Without it the "
    "features are those of a network that was trained on other digits",
)
option("--noise", nargs="+", choices=["human", "symmetric", "asymmetric"])
option("--rate", type=float, default=0.4, help="of noise that is made")
option(
    "--losses", nargs="+", default=["CrossEntropy", "GCE", "ScaledMAE"],
    help="names that `losses.get` takes",
)  # fmt: skip
option("--epochs", type=int, default=10, help="passes of a head over the data")
option("--smoke", action="store_true", help="a trial of a few seconds")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.noise is None:
    options.noise = ["symmetric"] if options.data_dir is None else ["human"]
if options.smoke:
    options.losses, options.epochs = ["ScaledMAE"], 3
requirements = {
    "--noise human needs --data-dir": "human" not in options.noise
    or options.data_dir is not None,
    "--rate must be at least 0 and below 1": 0 <= options.rate < 1,
    "--epochs must be 1 or more": options.epochs >= 1,
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)


def build_loss(name, num_classes):
    """The loss with a name."""
    # GCE has a hyperparameter, which "auto" fits to the number of classes.
    more = {"q": "auto"} if name == "GCE" else {}
    return losses.get(name, num_classes=num_classes, from_logits=True, **more)


for name in options.losses:
    try:
        build_loss(name, 100)
    except (TypeError, ValueError) as error:
        parser.error(f"--losses {error}")

"""
## Features

The features of CIFAR-100 come from a file; an EfficientNet trained on ImageNet
computed them. Any model of `keras.applications` or keras-hub does this for your
own images:

```
backbone = keras.applications.EfficientNetV2B0(include_top=False)
x = features(backbone, ImageDataset("photos", 64, image_size=224))
```

Without a file, a network learns the digits 0 to 4, and its hidden layer sees
the digits 5 to 9.
"""


def read_features():
    """Features and clean labels of the training and the test set."""
    folder = options.data_dir
    with np.load(folder / "features/cifar100_efficientnet_lite0.npz") as file:
        x, x_test = file["train"].astype("float32"), file["test"]
    with np.load(folder / "cifar100/labels.npz") as file:
        y, y_test = (file[part].astype("int64") for part in ("train", "test"))
    return x, y, x_test, y_test


def learn_features():
    """The same, for digits that the network has not learned."""
    keras.utils.set_random_seed(1)
    data = load(
        "digits", num_classes=10, num_samples=4_000 if options.smoke else 10_000
    )
    known = data.y_clean < 5
    network = keras.Sequential(
        [
            keras.Input(data.x_train.shape[1:]),
            layers.Reshape((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, strides=2, activation="relu", name="maps"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    epochs = 2 if options.smoke else 5
    network.fit(
        data.x_train[known], data.y_clean[known], epochs=epochs, verbose=0
    )
    found = []
    # Images repeat within the training and the test set, but not across them.
    for images, labels in (
        (data.x_train, data.y_clean),
        (data.x_test, data.y_test),
    ):
        unknown = labels >= 5
        x = features(network, images[unknown], layer="maps", verbose=0)
        found += [x, labels[unknown] - 5]
    return found


x, y, x_test, y_test = (
    learn_features() if options.data_dir is None else read_features()
)
mean, std = x.mean(axis=0, dtype="float32"), x.std(axis=0, dtype="float32")
x, x_test = ((part - mean) / (std + 1e-6) for part in (x, x_test))
num_classes = int(y.max()) + 1
print(f"{len(x):,} samples, {x.shape[1]} features, {num_classes} classes")

"""
## Wrong labels
"""


def labels_with(kind):
    """The given labels."""
    if kind == "human":
        file = options.data_dir / "cifar_n/cifarn_original_order.npz"
        with np.load(file) as labels:
            return labels["c100_noisy_label"].astype("int64")
    matrix = noise.symmetric(num_classes, options.rate)
    if kind == "asymmetric":
        flips = {i: (i + 1) % num_classes for i in range(num_classes)}
        matrix = noise.asymmetric(flips, options.rate)
    return noise.corrupt(y, matrix, seed=0).labels


"""
## Heads
"""


def accuracy(loss, inputs, labels, sample_weight=None):
    """Accuracy of a head on clean test labels."""
    keras.utils.set_random_seed(0)
    head = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Dense(512, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(num_classes),
        ]
    )
    steps = options.epochs * -(-len(inputs) // 256)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    head.compile(
        keras.optimizers.SGD(rate, 0.9),
        build_loss(loss, num_classes),
        metrics=["accuracy"],
    )
    head.fit(
        inputs,
        labels,
        batch_size=256,
        epochs=options.epochs,
        sample_weight=sample_weight,
        verbose=0,
    )
    logits = head.predict(x_test, batch_size=1_000, verbose=0)
    return 100 * np.mean(logits.argmax(axis=-1) == y_test)


"""
## Find, clean, and again

The second round searches for neighbors only among the kept samples, whose
labels are right more often.
"""

for kind in options.noise:
    given = labels_with(kind)
    start = time.perf_counter()
    found = FeatureQuality(x, given, clean_labels=y)
    estimate = found.estimate()
    seconds = time.perf_counter() - start
    low, high = (100 * end for end in estimate.interval)
    print(
        f"\n{kind}: {100 * np.mean(given != y):.1f} % of the labels are wrong, "
        f"estimated {100 * estimate.rate:.1f} % ({low:.1f} to {high:.1f}); "
        f"{100 * found.precision_recall(estimate.count)[0]:.1f} % of the "
        f"suspects are, found in {seconds:.0f} s\n"
    )
    once = found.clean(x, given)
    ways = {
        "as they are": (x, given),
        "drop": once,
        "drop twice": FeatureQuality(*once).clean(*once),
        **{
            action: found.clean(x, given, action)
            for action in ("relabel", "weight", "soft")
        },
        "true": (x, y),
    }
    print(f"| labels | samples | {' | '.join(options.losses)} |")
    print("| --- |" + " --- |" * (1 + len(options.losses)))
    for name, data in ways.items():
        cells = [f"{accuracy(loss, *data):.1f}" for loss in options.losses]
        print(
            f"| {name} | {len(data[0]):,} | {' | '.join(cells)} |", flush=True
        )
