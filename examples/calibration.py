"""
Title: Why a loss starts to learn, or does not
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: With many classes, a fresh network receives almost no error.
Accelerator: None
"""

"""
## Introduction

The error of a loss is its gradient at the logit of the label. A robust loss has
a small error where the network disagrees with a label. A freshly initialized
network disagrees with every label, and more so with more classes. The mean
absolute error (MAE) is robust with ten classes, but it starts slowly with a
hundred classes and never starts with a thousand.

We look at this error, restore it in three ways, and train with each of them.
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
from keras_noisy import GCE, MAE, MAEStar, ScaledMAE
from keras_noisy.calibration import (
    average_error,
    calibrate,
    logit_distribution,
    plot_average_error,
)
from keras_noisy.datasets import load

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python calibration.py --help` lists the options of the script. In a notebook,
put them in the empty list: `["--epochs", "10"]`.
"""

parser = argparse.ArgumentParser(
    description="Show why a loss starts, or does not.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--samples", type=int, default=10_000, help="size of the training set")
option("--epochs", type=int, default=6, help="passes over the training set")
option("--seed", type=int, default=0, help="seed of the data and of training")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.epochs < 1:
    parser.error("--epochs must be 1 or more")

"""
## The logits of a fresh network

The data are handwritten two-digit numbers, which form a hundred classes, and
40 % of the labels are wrong. Before training, the logits of the network are
close to a normal distribution with mean 0.
"""

data = load(
    "digits",
    noise="symmetric",
    rate=0.4,
    seed=options.seed,
    num_classes=100,
    num_samples=options.samples,
)
x_train, x_test = data.x_train / 255, data.x_test / 255


def build_model():
    """The network, with new weights."""
    keras.utils.set_random_seed(options.seed)
    inputs = keras.Input(x_train.shape[1:])
    x = layers.Flatten()(inputs)
    x = layers.Dense(256)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    return keras.Model(inputs, layers.Dense(100)(x))


model = build_model()
print(logit_distribution(model, x_train[:500]))

logits = model.predict(x_train[:500], verbose=0)
figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
axes.hist(np.ravel(logits), bins=80, density=True, color="0.7")
axes.set(xlabel="logit", ylabel="density")
axes.set_title("Logits of a network that has learned nothing")

"""
## The error by the logit of the label

The upper panel shows the error that MAE sends to the logit of the label,
averaged over the other logits, with 10, 100 and 1000 classes. The lower panel
shows the logits of the fresh network. With ten classes, the curve is above zero
at these logits. With a thousand classes, the curve has moved to the right, and
almost no error is left at these logits.
"""

plot_average_error({"MAE": MAE()}, (10, 100, 1000), logits=logits)

"""
This is the error at logit 0, the middle of the logits:
"""

for num_classes in (10, 100, 1000, 1_000_000):
    error = average_error(MAE(), num_classes)
    print(f"{num_classes:9,} classes: {error:.7f}")

"""
## Three ways to bring the error back

Each loss computes one number from the number of classes, so that a fresh
network receives the same error as with ten classes:

- `MAEStar` adds a bias to the logit of the label, which shifts the curve.
- `GCE(q="auto")` uses a smaller `q`, which makes the loss less robust.
- `ScaledMAE` multiplies the margin of the label by a factor, which widens the
  curve.
"""

losses = {
    "MAE": MAE(num_classes=100, from_logits=True),
    "MAE*": MAEStar(num_classes=100, from_logits=True),
    "GCE-auto": GCE(q="auto", num_classes=100, from_logits=True),
    "ScaledMAE": ScaledMAE(num_classes=100, from_logits=True),
}
print(f"MAE*       logit_bias = {losses['MAE*'].logit_bias:.4f}")
print(f"GCE-auto   q = {losses['GCE-auto'].q:.4f}")
print(f"ScaledMAE  margin_scale = {losses['ScaledMAE'].margin_scale:.4f}")

plot_average_error(losses, (100,), logits=logits)

"""
## Training

We train the same network with each loss and measure its accuracy on clean
labels.
"""

histories = {}
for name, loss in losses.items():
    model = build_model()
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    histories[name] = model.fit(
        x_train,
        data.y_train,
        batch_size=100,
        epochs=options.epochs,
        validation_data=(x_test, data.y_test),
        verbose=0,
    ).history["val_accuracy"]
    print(f"{name:10} {histories[name][-1]:.1%}")

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, history in histories.items():
    epochs = np.arange(1, len(history) + 1)
    axes.plot(epochs, 100 * np.array(history), "o-", label=name)
axes.set(xlabel="Epoch", ylabel="Accuracy on clean test labels (%)")
axes.legend()
axes.grid(alpha=0.3)

"""
## Your own network

The numbers above assume logits with a standard deviation of 1. `calibrate`
measures the logits of your network and computes the number for them:
"""

measured = calibrate(losses["MAE*"], build_model(), x_train[:500])
print(f"For this network logit_bias = {measured.logit_bias:.4f}")

"""
A loss that starts to learn does not always reach the highest accuracy: the
quickstart compares these losses with a thousand classes.
"""
