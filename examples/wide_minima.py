"""
Title: Wide flat minima and wrong labels
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: Four optimizers, the flatness of their minima, and wrong labels.
Accelerator: None
"""

"""
## Introduction

If the loss stays low around the weights, small changes of the weights or the
data matter little: wide, flat minima are said to generalize better. We compare
four ways to train the same network:

- `SGD`, the baseline.
- `Entropy-SGD`: short noisy walks, whose averages the weights follow.
- `Replicated SGD`: three networks that slowly come together. We measure the
  network at their center.
- `SAM`: steps along the gradient at the worst nearby weights.

Each network sees every image equally often. Replicated SGD has three networks,
and SAM computes two gradients per step, so they cost three times and twice as
much as the other two.

We measure the error on clean test images, the rise of the training error when
noise is added to the weights (the flatness), and the share of wrong labels that
the network has memorized.
"""

"""
## Setup
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import CrossEntropy
from keras_noisy.callbacks import EvaluateCenter, RefreshBatchNorm
from keras_noisy.datasets import load
from keras_noisy.metrics import local_energy, plot_local_energy
from keras_noisy.optimizers import EntropySGD
from keras_noisy.training import SAM, ReplicatedSGD

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python wide_minima.py --help` lists the options of the script. In a notebook,
write them into the empty list: `["--smoke"]`.
"""

names = ["SGD", "Entropy-SGD", "Replicated SGD", "SAM"]

parser = argparse.ArgumentParser(
    description="Compare optimizers that look for wide minima.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--noise", type=float, nargs="+", default=[0.0, 0.4], metavar="RATE")
option("--samples", type=int, default=6_000, help="size of the training set")
option("--epochs", type=int, default=30, help="passes over the training set")
option("--units", type=int, default=256, help="width of the hidden layers")
option("--rho", type=float, default=0.05, help="distance of SAM")
option("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
option("--methods", nargs="+", choices=names, default=names, metavar="METHOD")
option("--output", type=Path, help="picture of the flatness to save")
option("--smoke", action="store_true", help="a few seconds that show nothing")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.smoke:
    options.noise, options.samples, options.epochs = [0.4], 256, 2
    options.units = 16

requirements = {
    "--noise must be at least 0 and below 1": all(
        0 <= rate < 1 for rate in options.noise
    ),
    "--samples must be 128 or more": options.samples >= 128,
    "--epochs must be 1 or more": options.epochs >= 1,
    "--units must be 1 or more": options.units >= 1,
    "--rho must be above 0": options.rho > 0,
    "--output must be in a folder that exists, and end in .png, .pdf or .svg": (
        options.output is None
        or (
            options.output.parent.is_dir()
            and options.output.suffix in (".png", ".pdf", ".svg")
        )
    ),
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## The network

The network has two hidden layers with batch normalization. The hundred classes
are pairs of handwritten digits.
"""

classes, batch_size, rate = 100, 128, 0.1


def build_model():
    """The network, with new weights."""
    inputs = keras.Input((8, 16))
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(options.units)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


"""
## Four ways to train it

The learning rate decays to 0 along a cosine. The replicas divide each batch, so
the batch size, the learning rate and the number of epochs are three times as
large.

Entropy-SGD walks for twenty batches at a time, which does not divide an epoch:
`EvaluateCenter` evaluates the center of a walk, and `RefreshBatchNorm`
recomputes the batch statistics for the evaluated weights.
"""


def train(method, x, y):
    """A trained network."""
    replicas = 3 if method == "Replicated SGD" else 1
    epochs, size = replicas * options.epochs, replicas * batch_size
    steps = epochs * int(np.ceil(len(x) / size))

    def cosine(start):
        return keras.optimizers.schedules.CosineDecay(start, steps)

    optimizer = keras.optimizers.SGD(cosine(replicas * rate), 0.9, True)
    callbacks = []
    if method == "Replicated SGD":
        model = ReplicatedSGD(build_model, replicas)
    elif method == "SAM":
        model = SAM(build_model(), options.rho)
    else:
        model = build_model()
    if method == "Entropy-SGD":
        optimizer = EntropySGD(cosine(1.0), inner_learning_rate=rate)
        callbacks = [EvaluateCenter()]
    model.compile(
        optimizer, CrossEntropy(num_classes=classes, from_logits=True)
    )
    model.fit(
        *(x, y),
        batch_size=size,
        epochs=epochs,
        callbacks=callbacks,
        verbose=0,
    )
    network = model.center() if method == "Replicated SGD" else model
    if method == "SAM":
        network = model.model
    RefreshBatchNorm(x, batch_size).refresh(network)
    return network


"""
## Results

The error is measured on clean test labels. `fitted` is the share of training
labels, right or wrong, that the network predicts, and `memorized` is the share
of the wrong ones. `rise` is the increase of the training error when each weight
changes by a fifth of its size.
"""

sigmas = [0.05, 0.1, 0.2, 0.3, 0.4]
energies = {}

print("| noise | method | test error | fitted | memorized | rise at 0.2 |")
print("| --- | --- | --- | --- | --- | --- |")
for noise in options.noise:
    for method in options.methods:
        rows = []
        for seed in options.seeds:
            data = load(
                "digits",
                noise="symmetric",
                rate=noise,
                seed=seed,
                num_classes=classes,
                num_samples=options.samples,
            )
            x, y = data.x_train / np.float32(255), data.y_train
            x_test = data.x_test / np.float32(255)
            keras.utils.set_random_seed(seed)
            network = train(method, x, y)
            scores = network.predict(x_test, batch_size=1_000, verbose=0)
            predicted = network.predict(x, batch_size=1_000, verbose=0)
            is_given = predicted.argmax(1) == y
            energy = local_energy(
                network, (x, y), sigmas, draws=4, batch_size=1_000
            )
            energies[f"{method}, noise {noise:g}"] = energy
            wrong = data.changed
            rows.append(
                [
                    np.mean(scores.argmax(1) != data.y_test),
                    is_given.mean(),
                    is_given[wrong].mean() if wrong.any() else np.nan,
                    energy.rise[sigmas.index(0.2)],
                ]
            )
        cells = [
            "-"
            if np.isnan(column).any()
            else f"{100 * np.mean(column):.1f} %"
            + (f" ± {100 * np.std(column):.1f}" if len(rows) > 1 else "")
            for column in np.transpose(rows)
        ]
        print(f"| {noise:g} | {method} | " + " | ".join(cells) + " |")

if options.output:
    plot_local_energy(energies).savefig(options.output, dpi=150)
    print(f"The rises are in {options.output}")
