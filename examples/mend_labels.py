"""
Title: Find and mend wrong labels
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: Networks find wrong labels of samples that they have not seen.
Accelerator: None
"""

"""
## Introduction

With a robust loss, wrong labels do little harm in training. You can also find
the wrong labels and drop or correct them, by hand or with the predictions of a
network.

We use handwritten two-digit numbers, and 30 % of them have a wrong label. Three
networks each learn from two thirds of the samples and predict the rest, so
every sample is predicted by a network that has not seen it. Then we drop the
labels that the prediction contradicts, or replace them with the prediction, and
train again.

The example takes a minute on two CPU cores and needs no download.
"""

"""
## Setup

The images come from scikit-learn, and matplotlib draws the pictures. Choose the
backend with the environment variable `KERAS_BACKEND`.
"""

import argparse
import sys

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import ScaledMAE
from keras_noisy.datasets import load
from keras_noisy.noise import out_of_fold_probabilities

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python mend_labels.py --help` lists the options of the script. In a notebook,
put them in the empty list: `["--noise", "0.5"]`.
"""

parser = argparse.ArgumentParser(
    description="Find wrong labels, mend them, and train again.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--noise", type=float, default=0.3, help="share of wrong labels")
option("--samples", type=int, default=10_000, help="size of the training set")
option("--epochs", type=int, default=8, help="passes over the training set")
option("--folds", type=int, default=3, help="networks that find wrong labels")
option("--seed", type=int, default=0, help="seed of the data and of training")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.epochs < 1:
    parser.error("--epochs must be 1 or more")

"""
## Data
"""

data = load(
    "digits",
    noise="symmetric",
    rate=options.noise,
    seed=options.seed,
    num_classes=100,
    num_samples=options.samples,
)
x_train, x_test = data.x_train / 255, data.x_test / 255
given, wrong = data.y_train, data.changed
print(f"{data.rate:.1%} of {len(given)} labels are wrong.")


def build_model(loss=None):
    """A network with new weights, and a robust loss unless another is given."""
    inputs = keras.Input(x_train.shape[1:])
    x = layers.Flatten()(inputs)
    x = layers.Dense(256)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    model = keras.Model(inputs, layers.Dense(100, activation="softmax")(x))
    loss = loss or ScaledMAE(num_classes=100)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model


"""
## Find them

The robust loss matters here: a network that memorizes wrong labels also makes
wrong predictions.
"""

keras.utils.set_random_seed(options.seed)
probabilities = out_of_fold_probabilities(
    build_model,
    x_train,
    given,
    folds=options.folds,
    batch_size=100,
    epochs=options.epochs,
    verbose=0,
)
predicted = probabilities.argmax(axis=1)
confidence = probabilities.max(axis=1)
suspect = predicted != given

found, right = wrong[suspect].mean(), suspect[wrong].mean()
print(f"{suspect.mean():.1%} of the labels are contradicted.")
print(
    f"{found:.1%} of these are wrong, and {right:.1%} of the wrong ones found."
)

"""
These are the most confident contradictions. The titles show the given label and
the prediction in parentheses:
"""

worst = np.argsort(-confidence * suspect)[:12]
figure, panels = plt.subplots(2, 6, figsize=(9, 3), layout="constrained")
for axes, i in zip(panels.flat, worst, strict=True):
    axes.imshow(np.squeeze(x_train[i]), cmap="gray_r")
    axes.set_title(f"{given[i]} ({predicted[i]})", fontsize="medium")
    axes.axis("off")

"""
## Mend them, and train again

We train on four sets of labels:

- `given`: all labels, including the wrong ones.
- `dropped`: all labels except the contradicted ones.
- `mended`: all labels, with the contradicted ones replaced by the prediction.
- `true`: the clean labels, which are not available in practice.

Cross-entropy trusts every label, so it shows how good the labels are.
"""

everything = np.ones(len(given), dtype=bool)
labels = {
    "given": (given, everything),
    "dropped": (given, ~suspect),
    "mended": (np.where(suspect, predicted, given), everything),
    "true": (data.y_clean, everything),
}
robust = ScaledMAE(num_classes=100)
losses = {"cross-entropy": "sparse_categorical_crossentropy", "robust": robust}
print("labels   | wrong  | cross-entropy | robust")
print("---------|--------|---------------|-------")
for name, (y, kept) in labels.items():
    accuracy = {}
    for kind, loss in losses.items():
        keras.utils.set_random_seed(options.seed)
        model = build_model(loss)
        model.fit(
            x_train[kept],
            y[kept],
            batch_size=100,
            epochs=options.epochs,
            verbose=0,
        )
        _, accuracy[kind] = model.evaluate(x_test, data.y_test, verbose=0)
    share = (y != data.y_clean)[kept].mean()
    print(
        f"{name:8} | {share:6.1%} | {accuracy['cross-entropy']:13.1%} | "
        f"{accuracy['robust']:6.1%}"
    )

"""
## What it shows

Dropping the contradicted labels restores most of the accuracy that the wrong
labels cost cross-entropy. The robust loss reaches this accuracy on the given
labels. Replacing labels with predictions is a little worse than dropping them,
because some correct labels are contradicted too. A person who reviews the
contradictions can do better than both: `keras_noisy.callbacks.LabelQuality`
writes a page for this.
"""
