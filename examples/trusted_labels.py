"""
Title: A few trusted labels among many wrong ones
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: LDCE estimates which labels are right, and a classifier uses this.
Accelerator: None
"""

"""
## Introduction

Suppose that one label in twenty has been checked, and that the others are wrong
as often as labels from the web. How much do the checked labels help? We compare

- `CE, trusted`: cross-entropy on the trusted samples alone.
- `GCE auto`: a robust loss on all samples, which does not know which labels
  are trusted.
- `Forward, true T`: forward correction on all samples with the true noise
  matrix, which is never known in practice.
- `LDCE`: the classifier that learns together with the confidences.
- `LDCE, hard` and `LDCE, soft`: the second stage of LDCE, a new classifier on
  all samples. `ConfidenceCorrection` treats labels by their confidence, with a
  transition matrix estimated from the trusted samples.

The last column says how well confidence separates right labels from wrong ones:
the probability that a right label has a higher confidence than a wrong one
(AUC).
"""

"""
## Setup
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

import keras_noisy
from keras_noisy.datasets import load, trusted_and_noisy
from keras_noisy.losses import (
    GCE,
    ConfidenceCorrection,
    CrossEntropy,
    ForwardCorrection,
    with_confidence,
)
from keras_noisy.noise import corrupt, symmetric, transition_from_trusted
from keras_noisy.training import LDCE

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python trusted_labels.py --help` lists the options of the script. In a
notebook, write them into the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Learn from a few trusted labels and many noisy ones.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
names = ["digits", "fashion_mnist", "cifar100"]
option("--dataset", choices=names, default="digits")
option(
    "--data-dir",
    type=Path,
    help="for fashion_mnist the folder of its files; for cifar100 one with "
    "features/cifar100_efficientnet_lite0.npz (int8 arrays `train` and "
    "`test`), cifar100/labels.npz (`train` and `test`) and for human noise "
    "cifar_n/cifarn_original_order.npz (`c100_noisy_label`)",
)
option(
    "--noise",
    nargs="+",
    choices=["symmetric", "flip", "human"],
    default=["symmetric", "flip"],
    help="uniform, to one other class of each class, or by people",
)
option("--rate", type=float, default=0.4, help="of symmetric and flip noise")
option("--trusted", type=float, nargs="+", default=[0.05, 0.1], metavar="SHARE")
option("--samples", type=int, default=10_000, help="size of the training set")
option("--epochs", type=int, default=12, help="passes over the training set")
option("--width", type=int, default=256, help="units of the hidden layer")
option("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
option("--smoke", action="store_true", help="a trial of a few seconds")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.smoke:
    options.noise, options.trusted = ["symmetric"], [0.2]
    options.samples, options.epochs, options.width = 400, 3, 32
requirements = {
    "--dataset cifar100 needs --data-dir": options.dataset != "cifar100"
    or options.data_dir is not None,
    "--noise human is for --dataset cifar100": "human" not in options.noise
    or options.dataset == "cifar100",
    "--rate must be at least 0 and below 1": 0 <= options.rate < 1,
    "--trusted must be above 0 and below 1": all(
        0 < share < 1 for share in options.trusted
    ),
    "--epochs must be 1 or more": options.epochs >= 1,
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## Data

The inputs are standardized features of CIFAR-100, or pixels.
"""


def read():
    """Inputs, clean labels, test inputs, test labels."""
    if options.dataset != "cifar100":
        more = {"data_dir": options.data_dir}
        if options.dataset == "digits":
            more = {"num_classes": 10, "num_samples": options.samples}
        data = load(options.dataset, **more)
        x, x_test = (
            part.reshape(len(part), -1) / np.float32(255)
            for part in (data.x_train, data.x_test)
        )
        return x, data.y_clean, x_test, data.y_test
    file = options.data_dir / "features" / "cifar100_efficientnet_lite0.npz"
    with np.load(file) as features:
        x, x_test = (features[part] for part in ("train", "test"))
    with np.load(options.data_dir / "cifar100" / "labels.npz") as labels:
        y, y_test = (labels[part].astype("int64") for part in ("train", "test"))
    mean, std = x.mean(0, dtype="float32"), x.std(0, dtype="float32")
    return (x - mean) / std, y, (x_test - mean) / std, y_test


x_all, y_all, x_test, y_test = read()
num_classes = int(y_all.max()) + 1
num_samples = min(options.samples, len(y_all))
for share in options.trusted:
    if not num_classes <= round(share * num_samples) < num_samples:
        parser.error(
            f"--trusted {share:g} must be at least one sample of each of the "
            f"{num_classes} classes, and not all of the {num_samples} samples"
        )
human = None
if "human" in options.noise:
    with np.load(
        options.data_dir / "cifar_n" / "cifarn_original_order.npz"
    ) as labels:
        human = labels["c100_noisy_label"].astype("int64")

"""
## Wrong labels

The trusted samples come first in the shuffled data: one of every class, then
any others. Their labels are right; the other labels get noise.
"""


def draw(noise, share, seed):
    """Inputs, labels, clean labels and number of trusted samples."""
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(y_all))[: options.samples]
    _, first = np.unique(y_all[chosen], return_index=True)
    chosen = np.concatenate([chosen[first], np.delete(chosen, first)])
    x, clean = x_all[chosen], y_all[chosen]
    if noise == "human":
        labels = human[chosen]
    else:
        matrix = symmetric(num_classes, options.rate)
        if noise == "flip":
            matrix = (1 - options.rate) * np.eye(num_classes)
            others = random.integers(1, num_classes, size=num_classes)
            others = (np.arange(num_classes) + others) % num_classes
            matrix[np.arange(num_classes), others] += options.rate
        labels = corrupt(clean, matrix, seed=seed).labels
    count = round(share * len(x))
    return x, np.concatenate([clean[:count], labels[count:]]), clean, count


"""
## The network

The network has one hidden layer and 64 features, which a linear layer
classifies.
"""


def build_encoder():
    """The encoder, with new weights."""
    return keras.Sequential(
        [
            keras.Input(x_all.shape[1:]),
            layers.Dense(options.width),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.2),
            layers.Dense(64, activation="relu"),
        ]
    )


def optimizer(count):
    """SGD whose learning rate decays to 0 along a cosine."""
    steps = options.epochs * max(count // 128, 1)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    return keras.optimizers.SGD(rate, 0.9, weight_decay=1e-4)


def accuracy(model):
    """Accuracy on the test samples."""
    logits = model.predict(x_test, batch_size=1_000, verbose=0)
    return np.mean(logits.argmax(axis=-1) == y_test)


def train(loss, x, y):
    """A classifier trained with a loss."""
    encoder = build_encoder()
    model = keras.Sequential([encoder, layers.Dense(num_classes)])
    model.compile(optimizer(len(x)), loss)
    model.fit(x, y, batch_size=128, epochs=options.epochs, verbose=0)
    return model


"""
## The two stages of LDCE

`LDCE` trains on trusted and noisy batches, and gives a confidence for every
label. A network trained on the noisy samples alone predicts the noisy labels
that trusted samples would have, which gives the transition matrix.
"""


def area(confidence, is_right):
    """Probability that a right label is more confident than a wrong one."""
    _, places, counts = np.unique(
        confidence, return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    right, wrong = is_right.sum(), (~is_right).sum()
    return (ranks[is_right].sum() - right * (right + 1) / 2) / (right * wrong)


def run(noise, share, seed):
    """Accuracy of each method, and AUC of the confidence."""
    keras.utils.set_random_seed(seed)
    x, labels, clean, count = draw(noise, share, seed)
    plain = {"from_logits": True, "num_classes": num_classes}
    found = {}
    # Repeat them, so that there are as many steps as with all samples.
    often = np.resize(np.arange(count), len(x))
    model = train(CrossEntropy(**plain), x[often], labels[often])
    found["CE, trusted"] = accuracy(model)
    found["GCE auto"] = accuracy(train(GCE("auto", **plain), x, labels))
    T = np.zeros((num_classes, num_classes))
    np.add.at(T, (clean, labels), 1)
    T /= T.sum(axis=1, keepdims=True)
    model = train(ForwardCorrection(T, from_logits=True), x, labels)
    found["Forward, true T"] = accuracy(model)

    trusted = np.arange(count)
    data = trusted_and_noisy(
        (x, labels),
        trusted,
        batch_size=min(128, len(x) - count),
        queries=min(64, count),
        num_classes=num_classes,
        seed=seed,
    )
    ldce = LDCE(build_encoder(), num_classes, len(x), seed=seed)
    ldce.compile(optimizer(len(x) - count), CrossEntropy(**plain))
    ldce.fit(data, epochs=options.epochs, shuffle=False, verbose=0)
    found["LDCE"] = accuracy(ldce)
    confidence = ldce.confidence(trusted)
    auc = area(confidence[count:], (labels == clean)[count:])

    model = train(CrossEntropy(**plain), x[count:], labels[count:])
    logits = model.predict(x[:count], batch_size=1_000, verbose=0)
    p = ops.convert_to_numpy(ops.softmax(logits))
    T = transition_from_trusted(p, labels[:count])
    y = with_confidence(labels, confidence, trusted)
    for name, soft in (("LDCE, hard", False), ("LDCE, soft", True)):
        loss = ConfidenceCorrection(T, soft=soft, from_logits=True)
        found[name] = accuracy(train(loss, x, y))
    return {name: 100 * value for name, value in found.items()} | {"AUC": auc}


"""
## Results

Accuracy on clean test labels in percent. With several seeds the standard
deviation follows.
"""

header = None
for noise in options.noise:
    for share in options.trusted:
        rows = [run(noise, share, seed) for seed in options.seeds]
        if header is None:
            header = ["noise", "trusted", *rows[0]]
            print(f"| {' | '.join(header)} |")
            print(f"|{' --- |' * len(header)}")
        cells = []
        for name in rows[0]:
            values, digits = [row[name] for row in rows], 1 + (name == "AUC")
            cell = f"{np.mean(values):.{digits}f}"
            if len(values) > 1:
                cell += f" ± {np.std(values):.{digits}f}"
            cells.append(cell)
        print(f"| {noise} | {share:.0%} | {' | '.join(cells)} |", flush=True)
