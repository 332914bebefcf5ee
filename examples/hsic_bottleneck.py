"""
Title: Training without back-propagation, and wrong labels
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: The HSIC bottleneck and back-propagation on clean and noisy labels.
Accelerator: None
"""

"""
## Introduction

Back-propagation sends one error through all layers of a network. The HSIC
bottleneck does not: each block learns on its own to depend on the labels as
much as possible and on the inputs as little as possible. We compare, on the
same network and data:

- `BP, CE` and `BP, GCE auto`: back-propagation with cross-entropy, and with a
  loss made for wrong labels.
- `HSIC, CE` and `HSIC, GCE auto`: the blocks learn on their own, and a
  classifier on the last block learns with the loss.
- `HSIC, units`: blocks alone, the last one with a unit for each class. The
  class of each unit is determined afterwards, on the training set.

The accuracy is measured on clean test labels. The script needs no download: the
digits come from scikit-learn. `--dataset fashion_mnist` reads the official
files from `--data-dir`, or downloads them.
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
from keras_noisy import GCE, CrossEntropy
from keras_noisy.datasets import load
from keras_noisy.hsic import assign_units, unit_accuracy
from keras_noisy.training import HSICBottleneck

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python hsic_bottleneck.py --help` lists the options of the script. In a
notebook, write them into the empty list: `["--smoke"]`.
"""

names = ["BP, CE", "BP, GCE auto", "HSIC, CE", "HSIC, GCE auto", "HSIC, units"]

parser = argparse.ArgumentParser(
    description="Compare the HSIC bottleneck with back-propagation.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--dataset", choices=["digits", "fashion_mnist"], default="digits")
option("--data-dir", type=Path, help="folder with the files of Fashion-MNIST")
option("--noise", type=float, nargs="+", default=[0.0, 0.4], metavar="RATE")
option("--samples", type=int, default=6_000, help="training set, at most")
option("--epochs", type=int, nargs="+", default=[1, 5], metavar="EPOCH")
option("--batch-size", type=int, default=256, help="compared with each other")
option("--blocks", type=int, default=7, help="depth of the network")
option("--units", type=int, default=128, help="width of the network")
option("--sigma", type=float, nargs="+", default=[5.0], help="bandwidths")
option("--lambda-y", type=float, default=50.0, help="weight of the labels")
option("--rate", type=float, default=1e-3, help="learning rate of the blocks")
option("--rate-bp", type=float, default=0.05, help="of back-propagation")
option("--seed", type=int, default=0, help="seed of the data and of training")
option("--methods", nargs="+", choices=names, default=names, metavar="METHOD")
option("--smoke", action="store_true", help="a few seconds that show nothing")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.smoke:
    options.samples, options.batch_size, options.epochs = 128, 64, [1]
    options.noise, options.blocks, options.units = [0.4], 2, 16

requirements = {
    "--noise must be at least 0 and below 1": all(
        0 <= rate < 1 for rate in options.noise
    ),
    "--epochs must be 1 or more, in order": options.epochs
    == sorted({*options.epochs})
    and options.epochs[0] >= 1,
    "--blocks must be 1 or more": options.blocks >= 1,
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## Blocks

As in the paper, a block is a dense layer, batch normalization without scale and
shift, and ReLU. The kernel compares the samples of a batch, so the size of the
outputs must be normalized.
"""

classes = 10


def block(units):
    """A block of the network, with new weights."""
    return keras.Sequential(
        [
            layers.Dense(units),
            layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, center=False, scale=False
            ),
            layers.ReLU(),
        ]
    )


def stack(last):
    """All blocks; the last one may have another width."""
    return [block(options.units) for _ in range(options.blocks - 1)] + [
        block(last)
    ]


"""
## One network, trained in two ways

The compiled loss trains the classifier. Its gradient is small compared with the
gradients of the blocks: a weight of 50 gives it 50 times their learning rate,
as in the paper. Without a classifier the model is compiled without a loss.
"""


def build(method):
    """A compiled model."""
    way, _, loss = method.partition(", ")
    if loss == "units":
        sigmas = options.sigma
        model = HSICBottleneck(
            stack(classes), sigma=sigmas, lambda_y=options.lambda_y
        )
        model.compile(keras.optimizers.SGD(options.rate, weight_decay=1e-3))
        return model
    loss = CrossEntropy(num_classes=classes, from_logits=True)
    if method.endswith("GCE auto"):
        loss = GCE("auto", num_classes=classes, from_logits=True)
    if way == "BP":
        model = keras.Sequential([*stack(options.units), layers.Dense(classes)])
        model.compile(
            keras.optimizers.SGD(options.rate_bp, weight_decay=1e-5), loss
        )
        return model
    model = HSICBottleneck(
        stack(options.units),
        layers.Dense(classes),
        options.sigma,
        options.lambda_y,
    )
    model.compile(
        keras.optimizers.SGD(options.rate, weight_decay=1e-3),
        loss,
        loss_weights=[50.0],
    )
    return model


def accuracy(model, method, data, x, x_test):
    """Accuracy on clean test labels."""
    outputs = model.predict(x_test, batch_size=1_000, verbose=0)
    if method != "HSIC, units":
        return np.mean(outputs.argmax(1) == data.y_test)
    of_train = model.predict(x, batch_size=1_000, verbose=0)
    units = assign_units(of_train, data.y_train[: len(x)])
    return unit_accuracy(outputs, data.y_test, units)


"""
## Results
"""

head = " | ".join(
    f"after {epoch} epoch" + "s" * (epoch > 1) for epoch in options.epochs
)
print(f"| noise | method | {head} |")
print("| --- | --- |" + " --- |" * len(options.epochs))
for noise in options.noise:
    arguments = {}
    if options.dataset == "digits":
        arguments = {"num_classes": classes, "num_samples": options.samples}
    data = load(
        options.dataset,
        noise="symmetric",
        rate=noise,
        seed=options.seed,
        data_dir=options.data_dir,
        **arguments,
    )
    x, x_test = (
        images.reshape(len(images), -1) / np.float32(255)
        for images in (data.x_train, data.x_test)
    )
    x = x[: options.samples]
    for method in options.methods:
        keras.utils.set_random_seed(options.seed)
        model, cells, done = build(method), [], 0
        for epoch in options.epochs:
            model.fit(
                *(x, data.y_train[: len(x)]),
                batch_size=options.batch_size,
                epochs=epoch,
                initial_epoch=done,
                verbose=0,
            )
            done = epoch
            share = accuracy(model, method, data, x, x_test)
            cells.append(f"{100 * share:.1f} %")
        print(f"| {noise:g} | {method} | {' | '.join(cells)} |", flush=True)
