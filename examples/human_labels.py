"""
Title: CIFAR-100 with human labels
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: Three losses train on the labels that people gave to CIFAR-100.
Accelerator: None
"""

"""
## Introduction

For CIFAR-100N, people looked at each of the 50,000 training images of CIFAR-100
and chose one of the hundred classes. 40 % of these labels differ from the
official ones. Such mistakes are not random: people confuse a maple with an oak,
but not with a bus.

We look at the classes that people confuse and train a small network with three
losses. The losses know the number of classes, but nothing about the noise.

```
python human_labels.py --data-dir FOLDER
python human_labels.py --smoke
```

`FOLDER` contains the labels (`CIFAR-100_human.pt` from their
[authors](https://github.com/UCSC-REAL/cifar-10-100n), for non-commercial use)
and the images in the official python version. If the images are missing, Keras
downloads them. With the default options, the example takes some minutes on two
CPU cores.
"""

"""
## Setup

The picture needs matplotlib. Choose the backend with the environment variable
`KERAS_BACKEND`.
"""

import argparse
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import GCE, CrossEntropy, ScaledMAE
from keras_noisy.datasets import load

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python human_labels.py --help` lists the options of the script. In a notebook,
put them in the list.
"""

parser = argparse.ArgumentParser(
    description="Learn CIFAR-100 from the labels that people gave.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--data-dir", type=Path, help="folder with the human labels")
option("--samples", type=int, default=20_000, help="training images to use")
option("--epochs", type=int, default=15, help="passes over the training set")
option("--seed", type=int, default=0)
option("--smoke", action="store_true", help="a few seconds on digits, no data")
in_notebook = "ipykernel" in sys.modules
options = parser.parse_args([] if in_notebook else None)
if options.epochs < 1:
    parser.error("--epochs must be 1 or more")
if not (options.smoke or options.data_dir):
    parser.error("--data-dir is needed, or --smoke")
if options.smoke:
    options.samples, options.epochs = 500, 2

"""
## Classes that people confuse

The images are halved in height and width, so that two CPU cores are enough.
"""

if options.smoke:
    data = load("digits", "symmetric", 0.4, num_classes=100, num_samples=500)
else:
    data = load("cifar100n", data_dir=options.data_dir)
names = data.class_names

pairs = np.zeros((data.num_classes, data.num_classes), int)
np.add.at(pairs, (data.y_clean, data.y_train), 1)
print(f"{data.changed.mean():.1%} of the labels are not the official ones.")
print("The most frequent mistakes, and how many made them:")
np.fill_diagonal(pairs, 0)
for index in np.argsort(-pairs, axis=None)[:8]:
    true, chosen = np.unravel_index(index, pairs.shape)
    print(f"{pairs[true, chosen]:4} {names[true]} taken for {names[chosen]}")


def halved(images):
    """Images of half the height and width, in [-1, 1]."""
    count, height, width = images.shape[:3]
    blocks = images.reshape(count, height // 2, 2, width // 2, 2, -1)
    return blocks.mean(axis=(2, 4), dtype="float32") / 127.5 - 1


x_train = halved(data.x_train[: options.samples])
y_train = data.y_train[: options.samples]
x_test, y_test = halved(data.x_test), data.y_test
wrong = np.flatnonzero(data.changed[: options.samples])[:5_000]

"""
## Training

The network has three convolutional layers, and the learning rate follows a
cosine decay. After each epoch we measure the accuracy on the clean test labels
and the share of wrong labels that the network has memorized.
"""

batch_size = 100
steps = options.epochs * -(-len(x_train) // batch_size)


def build_model():
    """The network, with new weights."""
    keras.utils.set_random_seed(options.seed)
    inputs = keras.Input(x_train.shape[1:])
    x = layers.RandomFlip("horizontal", seed=0)(inputs)
    if options.smoke:  # A mirrored number is not the same number.
        x = inputs
    for filters in (32, 64, 128):
        x = layers.Conv2D(filters, 3, 2, "same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(data.num_classes)(x))


losses = {
    "CE": CrossEntropy(from_logits=True),
    "GCE-auto": GCE(q="auto", num_classes=100, from_logits=True),
    "ScaledMAE": ScaledMAE(num_classes=100, from_logits=True),
}
curves = {}
for name, loss in losses.items():
    model = build_model()
    rate = keras.optimizers.schedules.CosineDecay(0.05, steps)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"])
    curves[name] = []
    for epoch in range(options.epochs):
        model.fit(
            x_train,
            y_train,
            batch_size=batch_size,
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
        )
        parts = (x_test, y_test), (x_train[wrong], y_train[wrong])
        measured = [
            model.evaluate(x, y, batch_size=1_000, verbose=0)[1]
            for x, y in parts
        ]
        curves[name].append(measured)
    print(f"{name:10} done")

"""
## Results
"""

print("loss       |   last |   best | memorized")
print("-----------|--------|--------|----------")
for name, curve in curves.items():
    accuracy, memorized = np.transpose(curve)
    print(
        f"{name:10} | {accuracy[-1]:6.1%} | {accuracy.max():6.1%} | "
        f"{memorized[-1]:9.1%}"
    )

figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
titles = "Accuracy on clean test labels (%)", "Wrong labels memorized (%)"
for panel, (axes, title) in enumerate(zip(panels, titles, strict=True)):
    for name, curve in curves.items():
        values = 100 * np.array(curve)[:, panel]
        axes.plot(np.arange(1, len(values) + 1), values, "o-", label=name)
    axes.set(title=title, xlabel="Epoch")
    axes.grid(alpha=0.3)
    if panel == 0:
        axes.legend()

"""
## What it shows

With the default options, after a short training of a small network:

- The robust losses end about a point above cross-entropy. Another seed may
  reverse this order: nothing here is tuned, and little is memorized so far.
- The robust losses memorize fewer wrong labels: a fifth instead of a quarter.
  Some labels only count as memorized: a network that confuses a pine with an
  oak by itself agrees with the people who made the same mistake.

With features of a pretrained network, the losses differ more:
`docs/accuracy.md` has tables over three seeds, also for human labels.
"""
