"""
Title: The standard comparison on CIFAR with wrong labels
Author: The keras-noisy authors
Date created: 2026/11/21
Last modified: 2026/11/21
Description: Any loss, any noise, with the networks and recipe of the papers.
Accelerator: GPU
"""

"""
## Introduction

Papers on learning with noisy labels compare losses in one setting: they replace
part of the training labels of CIFAR-10 or CIFAR-100 with wrong ones, train the
same network with each loss and the same recipe, and report the accuracy on the
clean test labels after the last epoch.

This script reproduces the setting with every loss and every noise of
`keras-noisy`, on CIFAR-10, CIFAR-100, Fashion-MNIST and the human labels of
CIFAR-N:

```shell
python noisy_cifar.py --dataset cifar100 --rate 0.4 --losses CE MAEStar GCE
python noisy_cifar.py --dataset cifar10n --noise worse --losses CE ELR
```

A run of 120 epochs on CIFAR-10 needs a GPU. `--smoke` runs everything in a
minute on two CPU cores, with handwritten digits and without a download. The
script runs on TensorFlow, JAX and PyTorch, on one device or, with
`--distribute`, on all. With `--resume runs` the same command continues a
stopped run.
"""

"""
## Setup

Choose the backend with the environment variable `KERAS_BACKEND`. TensorFlow
reads the images for every backend; on the other backends we hide the GPUs from
TensorFlow, as it would take their memory.
"""

import argparse
import contextlib
import csv
import importlib.util
import itertools
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

import keras_noisy
from keras_noisy import losses
from keras_noisy.callbacks import Resume
from keras_noisy.datasets import load, pipeline
from keras_noisy.distribution import (
    DataParallel,
    data_parallel,
    process_count,
)
from keras_noisy.metrics import CleanAccuracy, LabelAccuracy, MemorizationRate

if keras.backend.backend() != "tensorflow":
    tf.config.set_visible_devices([], "GPU")

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## The recipes

We use SGD with momentum 0.9, a cosine decay of the learning rate to 0, clipping
of gradients at norm 5, and batches of 128. The network for CIFAR-10 has eight
layers; CIFAR-100 uses a ResNet-34. CIFAR images are padded, cropped at random
and flipped; Fashion-MNIST and the digits are not augmented. (Some papers also
rotate the images of CIFAR-100.) Every number has an option.
"""

recipes = {
    "cifar10": {
        "network": "cnn8",
        "augment": "cifar",
        "learning_rate": 0.01,
        "weight_decay": 1e-4,
        "epochs": 120,
    },
    "cifar100": {
        "network": "resnet34",
        "augment": "cifar100",
        "learning_rate": 0.1,
        "weight_decay": 1e-5,
        "epochs": 200,
    },
}
plain = {**recipes["cifar10"], "augment": None, "epochs": 50}
recipes |= {"fashion_mnist": plain, "digits": plain}
recipes |= {f"{name}n": recipes[name] for name in ("cifar10", "cifar100")}

"""
## Options

`python noisy_cifar.py --help` lists the options of the script. In a notebook,
write them into the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Compare losses on images with wrong labels.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option(
    "--dataset",
    choices=list(recipes),
    help="cifar10n and cifar100n have human labels; cifar10 if none is named",
)
option("--data-dir", type=Path, help="folder of the files; else a download")
option(
    "--noise",
    help="symmetric, asymmetric, pair_flip, instance_dependent, ...; for "
    "human labels aggre, random1, worse, noisy, ...; symmetric, or worse and "
    "noisy, if none is named",
)
option("--rate", type=float, default=0.4, help="share of wrong labels")
option(
    "--losses",
    nargs="+",
    default=["CE", "MAEStar", "GCE"],
    metavar="LOSS",
    help="any of keras_noisy.losses.names() that needs only numbers",
)
option(
    "--fade",
    choices=["cosine", "margin"],
    help="take the calibration of MAEStar, 'GCE*', ... back: over all steps, "
    "or class by class as they are learned",
)
option("--network", choices=["cnn8", "resnet34"], help="that of the data set")
option("--epochs", type=int, help="that of the data set")
option("--batch-size", type=int, default=128, help="on all devices together")
option("--learning-rate", type=float, help="that of the data set")
option("--weight-decay", type=float, help="as in PyTorch; of the data set")
option("--samples", type=int, help="images of each set to use at most")
option("--seed", type=int, default=0, help="seed of the noise and of training")
option("--distribute", action="store_true", help="train on all devices")
option(
    "--mixed-precision",
    nargs="?",
    choices=["bfloat16", "float16"],
    const="bfloat16",
    help="compute in half precision; bfloat16 if none is named",
)
option("--resume", type=Path, help="folder to save in and to go on from")
option(
    "--save-every",
    type=int,
    help="batches between two saves, besides that of each epoch",
)
option("--tensorboard", action="store_true", help="write logs for TensorBoard")
option(
    "--output", type=Path, default="noisy_cifar", help="folder of the results"
)
option(
    "--smoke",
    action="store_true",
    help="a trial in a minute, with other defaults: digits, three epochs",
)
arguments = [] if "ipykernel" in sys.modules else sys.argv[1:]
options = parser.parse_args(arguments)
dataset = options.dataset or ("digits" if options.smoke else "cifar10")
parser.set_defaults(**recipes[dataset])
if options.smoke:
    parser.set_defaults(
        epochs=3, samples=1_000, batch_size=32, losses=["CE", "MAEStar"]
    )
options = parser.parse_args(arguments)


def remembers(name):
    """Whether a loss stores something about every training sample."""
    return name.upper() in ("ELR", "SELC", "SOP")


requirements = {
    "--rate must be at least 0 and at most 1": 0 <= options.rate <= 1,
    "--epochs must be 1 or more": options.epochs >= 1,
    "--batch-size must be 1 or more": options.batch_size >= 1,
    "--learning-rate must be above 0": options.learning_rate > 0,
    "--weight-decay must be at least 0": options.weight_decay >= 0,
    "--samples must be 1 or more": (
        options.samples is None or options.samples >= 1
    ),
    "--seed must be at least 0 and below 2**32": 0 <= options.seed < 2**32,
    "--save-every must be 1 or more, and needs --resume": (
        options.save_every is None
        or (options.save_every >= 1 and options.resume is not None)
    ),
    "several processes need --distribute": (
        options.distribute or process_count() == 1
    ),
    "ELR, SELC and SOP train in one process only on PyTorch": (
        process_count() == 1
        or keras.backend.backend() != "torch"
        or not any(map(remembers, options.losses))
    ),
    "--tensorboard needs pip install tensorboard": (
        not options.tensorboard or importlib.util.find_spec("tensorboard")
    ),
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)
options.output.mkdir(parents=True, exist_ok=True)

# A folder goes on with the run that began in it, and not with another one.
free = (
    "data_dir",
    "distribute",
    "losses",
    "output",
    "resume",
    "save_every",
    "tensorboard",
)
settings = {k: v for k, v in vars(options).items() if k not in free}

"""
## Images, and wrong labels

The network learns from `y_train`. The clean training labels serve only to
measure, and all test labels are clean.
"""

is_human = dataset.endswith("n")
noise = options.noise or (None if is_human else "symmetric")
of_digits = {"num_classes": 10, "num_samples": options.samples}
try:
    data = load(
        dataset,
        noise,
        rate=0.0 if is_human else options.rate,
        seed=options.seed,
        data_dir=options.data_dir,
        **(of_digits if dataset == "digits" else {}),
    )
except (OSError, RuntimeError, ValueError) as error:
    parser.error(error)
x_train, y_train, y_clean, x_test, y_test = (
    array[: options.samples]
    for array in (
        data.x_train,
        data.y_train,
        data.y_clean,
        data.x_test,
        data.y_test,
    )
)
num_classes = data.num_classes
wrong = np.mean(y_train != y_clean)
print(f"{wrong:.1%} of {len(x_train)} training labels are wrong.")

"""
## The networks

The network has eight layers, or is a ResNet-34 whose first layer suits small
images: 3 x 3 pixels, without stride and pooling. The last layer outputs logits
in float32, whatever the precision of the others.
"""


def normalization():
    """Batch normalization with the defaults of PyTorch, as in the papers."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def convolution(x, filters, size=3, strides=1):
    """A convolution and its normalization."""
    x = layers.Conv2D(filters, size, strides, "same", use_bias=False)(x)
    return normalization()(x)


def cnn8(x):
    """Six convolutions and a dense layer; the classifier follows."""
    for filters in (64, 128, 196):
        for _ in range(2):
            x = layers.ReLU()(convolution(x, filters))
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Dense(256, use_bias=False)(layers.Flatten()(x))
    return layers.ReLU()(normalization()(x))


def resnet34(x):
    """Sixteen blocks of two convolutions, each with a skip connection."""
    x = layers.ReLU()(convolution(x, 64))
    for filters, blocks in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        for block in range(blocks):
            strides = 2 if block == 0 and filters > 64 else 1
            y = layers.ReLU()(convolution(x, filters, strides=strides))
            y = convolution(y, filters)
            if strides > 1:
                x = convolution(x, filters, 1, strides)
            x = layers.ReLU()(layers.Add()([x, y]))
    return layers.GlobalAveragePooling2D()(x)


def build_model(loss):
    """The network, with new weights."""
    shape = x_train.shape[1:] if x_train.ndim == 4 else (*x_train.shape[1:], 1)
    inputs = keras.Input(shape)
    features = {"cnn8": cnn8, "resnet34": resnet34}[options.network](inputs)
    logits = layers.Dense(num_classes, dtype="float32")(features)
    return keras.Model(inputs, loss.connect(logits))


if options.mixed_precision:
    keras.config.set_dtype_policy(f"mixed_{options.mixed_precision}")

"""
## The losses

Most losses need only the number of classes. `ELR`, `SELC` and `SOP` remember
each training sample, so its index stands next to its label. Their memory is a
layer of the model, and `loss.connect` passes the logits through it.
`GivenLabelLoss` hides the clean labels from the loss.
"""


fade = options.fade
if fade == "cosine":
    steps = options.epochs * (len(x_train) // options.batch_size)
    fade = keras.optimizers.schedules.CosineDecay(1.0, steps)


def build_loss(name):
    """The loss with a name, and the labels that it learns from."""
    of_loss = {"num_classes": num_classes, "from_logits": True}
    labels = y_train
    if remembers(name):
        of_loss["num_samples"] = len(x_train)
        labels = losses.with_index(labels)
    try:
        loss = losses.get(name, **of_loss)
        if options.fade and loss.automatic_arguments():
            loss = losses.get(name, fade=fade, **of_loss)
    except (TypeError, ValueError) as error:
        parser.error(f"--losses {error}")
    if getattr(loss, "views", 1) > 1:
        parser.error(f"--losses {name} needs several views of each image")
    return loss, losses.with_clean_labels(labels, y_clean)


for name in options.losses:
    build_loss(name)  # Raise an error now rather than after hours.

"""
## Training

After each epoch `val_accuracy` is the accuracy on the clean test labels, and
`memorization_rate` is the share of wrong labels that the network predicted in
training. Both go to a CSV file for each loss.

`Resume` saves the weights, the optimizer, the position in the data and the
history, and continues from there.
"""

momentum = 0.9


def train_with(name, parallel):
    """Train a network; returns the metrics of each epoch."""
    keras.utils.set_random_seed(options.seed)
    loss, labels = build_loss(name)
    file_name = name.replace("*", "Star")
    resume = None
    if options.resume:
        folder = options.resume / file_name
        resume = Resume(folder, options.save_every or "epoch", settings)
    reading = {
        "batch_size": parallel.batch_size(options.batch_size),
        "augment": recipes[dataset]["augment"],
        "shard": parallel.shard,
    }
    train = pipeline(
        (x_train, labels),
        training=True,
        seed=options.seed,
        start=resume.start if resume else (0, 0),
        **reading,
    )
    test = pipeline((x_test, y_test), **reading)
    model = build_model(loss)
    steps = options.epochs * len(train)
    model.compile(
        optimizer=keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(
                options.learning_rate, steps
            ),
            momentum=momentum,
            # The papers use PyTorch, where the decay goes through the
            # momentum, which multiplies it; in Keras it does not.
            weight_decay=options.weight_decay / (1 - momentum),
            global_clipnorm=5.0,
        ),
        loss=losses.GivenLabelLoss(loss),
        metrics=[LabelAccuracy(), CleanAccuracy(), MemorizationRate()],
    )

    history = resume.history if resume else {}

    def write(epoch=None, logs=None):
        """Write the whole table, so that no row occurs twice."""
        for key, value in (logs or {}).items():
            if not resume:
                history.setdefault(key, []).append(value)
        if parallel.is_chief:
            path = options.output / f"{file_name}.csv"
            with open(path, "w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(["epoch", *history])
                table = zip(*history.values(), strict=True)
                rows.writerows([i, *row] for i, row in enumerate(table, 1))

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=write)]
    if options.tensorboard and parallel.is_chief:
        board = options.output / "tensorboard" / file_name
        callbacks.insert(0, keras.callbacks.TensorBoard(board))
    if resume:
        callbacks.insert(-1, resume)
    parallel.fit(
        model,
        train,
        epochs=options.epochs,
        initial_epoch=resume.initial_epoch if resume else 0,
        validation_data=test,
        callbacks=callbacks,
        shuffle=False,
    )
    write()
    return history


with contextlib.ExitStack() as stack:
    parallel = DataParallel(num_devices=1)
    if options.distribute:
        parallel = stack.enter_context(data_parallel())
        if len(x_test) % parallel.num_devices:
            parser.error(
                f"--distribute needs a number of devices that divides the "
                f"{len(x_test)} test images, not {parallel.num_devices}"
            )
    histories = {}
    for name in options.losses:
        print(name)
        histories[name] = train_with(name, parallel)

"""
## Results

`last` is the accuracy on the clean test labels after the last epoch, as papers
report it. `best` is the accuracy of the best epoch, which only clean labels can
show. `memorized` is the share of wrong labels that the network predicted in the
last epoch.
"""

lines = [
    "loss             |   last |   best | memorized",
    "-----------------|--------|--------|----------",
]
for name, history in histories.items():
    accuracy, memorized = history["val_accuracy"], history["memorization_rate"]
    lines.append(
        f"{name:16} | {accuracy[-1]:6.1%} | {max(accuracy):6.1%} | "
        f"{memorized[-1]:9.1%}"
    )
print("\n".join(lines))

panels = {
    "val_accuracy": "Accuracy on clean test labels (%)",
    "memorization_rate": "Wrong training labels memorized (%)",
}
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for axis, (key, title) in zip(axes, panels.items(), strict=True):
    for (name, history), marker in zip(
        histories.items(), itertools.cycle("os^DvPX")
    ):
        percent = 100 * np.array(history[key])
        epochs = np.arange(1, len(percent) + 1)
        axis.plot(epochs, percent, marker=marker, markersize=4, label=name)
    axis.set(title=title, xlabel="Epoch", ylim=(-3, 103))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
figure.suptitle(f"{dataset}, {wrong:.0%} of the labels wrong")
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(
    handles, labels, loc="outside lower center", ncols=min(len(labels), 6)
)
if parallel.is_chief:
    (options.output / "table.txt").write_text("\n".join(lines) + "\n")
    figure.savefig(options.output / "curves.png", dpi=150)
    print(f"The table and the curves are in {options.output}")

"""
## What to expect

In a published comparison (eps-softmax, Wang et al., NeurIPS 2024) on CIFAR-10
with 40 % symmetric noise, cross-entropy ends at 58.5 %, `GCE` at 82.2 % and
`NCE+RCE` at 85.1 %; on CIFAR-100 at 39.3 %, 56.6 % and 58.6 %. Compare means
over several values of `--seed`, and the last epoch, not the best.
"""
