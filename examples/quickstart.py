"""
Title: A thousand classes with wrong labels
Author: The keras-noisy authors
Date created: 2026/11/21
Last modified: 2026/11/21
Description: Five losses train on a thousand classes with 40 % wrong labels.
Accelerator: None
"""

"""
## Introduction

Some labels from web searches or crowdsourcing are wrong. A network first learns
the patterns that most labels agree on. With cross-entropy, it then also learns
the wrong labels one by one, and its accuracy on new images falls. This is
called memorization.

Robust losses such as the mean absolute error (MAE) resist memorization: a
sample that contradicts all others hardly changes the network. These losses were
designed for about ten classes. With a thousand classes, a freshly initialized
network gives each class a probability of about 0.001. Every sample then seems
to contradict the others, and training does not start.

`keras-noisy` matches robust losses to the number of classes. We compare five
losses on the same images, with the same wrong labels and the same initial
weights:

- `CE`: `CrossEntropy()`, which learns every label, including the wrong ones.
- `MAE`: `MAE()`, which is robust, but only learns with few classes.
- `MAE*`: `MAEStar()`, which is MAE with a bias added to the logit of the
  label. The bias is computed from the number of classes.
- `GCE-auto`: `GCE(q="auto")`, the generalized cross-entropy, which lies between
  cross-entropy (`q` near 0) and MAE (`q` = 1). Its `q` is computed from the
  number of classes.
- `ScaledMAE`: `ScaledMAE()`, which is MAE with the margin of the label
  multiplied by a number below 1, also computed from the number of classes.

The example takes less than three minutes on two CPU cores, with TensorFlow,
JAX or PyTorch, and needs no download.
"""

"""
## Setup

The images come from scikit-learn, and matplotlib draws the picture. Choose the
backend with the environment variable `KERAS_BACKEND`.
"""

import argparse
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, ScaledMAE
from keras_noisy.datasets import load

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python quickstart.py --help` lists the options of the script. In a notebook,
put them in the empty list: `["--classes", "100"]`.
"""

names = ["CE", "MAE", "MAE*", "GCE-auto", "ScaledMAE"]

parser = argparse.ArgumentParser(
    description="Compare losses on handwritten numbers with wrong labels.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option(
    "--classes",
    type=int,
    choices=[10, 100, 1000],
    default=1000,
    help="numbers of one, two or three digits",
)
option("--noise", type=float, default=0.4, help="share of wrong labels")
option("--samples", type=int, default=30_000, help="size of the training set")
option("--epochs", type=int, default=12, help="passes over the training set")
option("--seed", type=int, default=0, help="seed of the data and of training")
option("--output", type=Path, default="quickstart.png", help="picture to save")
option(
    "--losses",
    nargs="+",
    choices=names,
    default=names,
    metavar="LOSS",
    # Some shells expand the asterisk as a pattern of file names.
    type=lambda name: name.replace("MAEStar", "MAE*"),
    help="losses to train; MAEStar stands for MAE* as well",
)
options = parser.parse_args([] if "ipykernel" in sys.modules else None)

requirements = {
    "--noise must be at least 0 and below 1": 0 <= options.noise < 1,
    "--samples must be 1 or more": options.samples >= 1,
    "--epochs must be 1 or more": options.epochs >= 1,
    "--seed must be at least 0 and below 2**32": 0 <= options.seed < 2**32,
    "--output must be in a folder that exists": options.output.parent.is_dir(),
    "--output must end in .png, .pdf or .svg": options.output.suffix
    in (".png", ".pdf", ".svg"),
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## A thousand classes of handwriting with wrong labels

scikit-learn ships 1797 handwritten digits of 8 x 8 pixels. Three of them side
by side form a number from 0 to 999, which gives a thousand classes (two digits
give a hundred). 360 of the digits are reserved for the test images, so no
handwritten digit appears in both sets.

Each label is replaced, with probability `noise`, by one of the other classes.
This is symmetric noise that excludes the true class. The network only sees
`y_train`. The clean labels stay in `data.y_clean`, and all test labels are
clean.
"""

data = load(
    "digits",
    noise="symmetric",
    rate=options.noise,
    seed=options.seed,
    num_classes=options.classes,
    num_samples=options.samples,
)
x_train, y_train = data.x_train / np.float32(255), data.y_train
x_test, y_test = data.x_test / np.float32(255), data.y_test
wrong = data.changed
print(f"{data.rate:.1%} of {options.samples} training labels are wrong.")

first = np.argmax(wrong)
print(f"This image reads {data.y_clean[first]}, its label is {y_train[first]}:")
for row in x_train[first]:
    print("".join(" .:-=+*#%@"[int(9 * pixel)] * 2 for pixel in row))

"""
## The network

The network is small: it has two hidden layers and ends in a softmax, as usual
for Keras classifiers.
"""


def build_model():
    """The network, with new weights."""
    inputs = keras.Input(shape=x_train.shape[1:])
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(512)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    outputs = layers.Dense(options.classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)


"""
## The losses

The losses only need the number of classes. `MAE*`, `GCE-auto` and `ScaledMAE`
compute their hyperparameter from it.
"""

losses = {
    "CE": CrossEntropy(num_classes=options.classes),
    "MAE": MAE(num_classes=options.classes),
    "MAE*": MAEStar(num_classes=options.classes),
    "GCE-auto": GCE(q="auto", num_classes=options.classes),
    "ScaledMAE": ScaledMAE(num_classes=options.classes),
}
print(f"MAE*       logit_bias = {losses['MAE*'].logit_bias:.4f}")
print(f"GCE-auto   q = {losses['GCE-auto'].q:.4f}")
print(f"ScaledMAE  margin_scale = {losses['ScaledMAE'].margin_scale:.4f}")

"""
## Training

After each epoch we measure two things: the accuracy on the clean test labels,
and the share of mislabeled training samples for which the network predicts the
wrong label that the sample was given. Without memorization this share is near
zero.
"""

x_wrong, y_wrong = x_train[wrong][:5_000], y_train[wrong][:5_000]


class Memorization(keras.callbacks.Callback):
    """Adds the share of memorized labels to the history and shows progress."""

    def on_train_begin(self, logs=None):
        """Show an empty progress bar."""
        self.progress = keras.utils.Progbar(
            self.params["epochs"],
            unit_name="epoch",
            stateful_metrics=["test accuracy", "memorized"],
        )
        self.progress.update(0)

    def on_epoch_end(self, epoch, logs=None):
        """Measure the memorization, and show it beside the test accuracy."""
        logs["memorized"] = float("nan")
        if len(x_wrong):
            _, logs["memorized"] = self.model.evaluate(
                x_wrong, y_wrong, batch_size=1_000, verbose=0
            )
        shown = [
            ("test accuracy", logs["val_accuracy"]),
            ("memorized", logs["memorized"]),
        ]
        self.progress.update(epoch + 1, shown)


batch_size = 256
steps = options.epochs * int(np.ceil(options.samples / batch_size))

histories = {}
for name in options.losses:
    print(name)
    keras.utils.set_random_seed(options.seed)
    model = build_model()
    learning_rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9),
        loss=losses[name],
        metrics=["accuracy"],
    )
    histories[name] = model.fit(
        x_train,
        y_train,
        batch_size=batch_size,
        epochs=options.epochs,
        validation_data=(x_test, y_test),
        validation_batch_size=1_000,
        callbacks=[Memorization()],
        verbose=0,
    ).history

"""
## Results

`last` is the accuracy on the clean test labels after the last epoch, which you
get in practice. `best` is the accuracy of the best epoch, which you can only
find with clean labels. `memorized` is the share of wrong labels that the
network predicts after the last epoch.
"""

print("loss       |   last |   best | memorized")
print("-----------|--------|--------|----------")
for name, history in histories.items():
    accuracy, memorized = history["val_accuracy"], history["memorized"]
    print(
        f"{name:10} | {accuracy[-1]:6.1%} | {max(accuracy):6.1%} | "
        f"{memorized[-1]:9.1%}"
    )

looks = ["C3o-", "C7s-", "C0^-", "C1D-", "C2v-"]
styles = dict(zip(names, looks, strict=True))
panels = {
    "val_accuracy": "Accuracy on clean test labels (%)",
    "memorized": "Wrong training labels memorized (%)",
}
epochs = np.arange(1, options.epochs + 1)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for axis, (key, title) in zip(axes, panels.items(), strict=True):
    for name, history in histories.items():
        percent = 100 * np.array(history[key])
        axis.plot(epochs, percent, styles[name], markersize=5, label=name)
    axis.set(title=title, xlabel="Epoch", ylim=(-3, 103))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
figure.suptitle(
    f"{options.classes} classes, {options.noise:.0%} of the labels wrong"
)
lines, labels = axes[0].get_legend_handles_labels()
figure.legend(lines, labels, loc="outside lower center", ncols=len(names))
figure.savefig(options.output, dpi=150)
print(f"The curves are in {options.output}")

"""
## What it shows

With a thousand classes:

- `CE` peaks after a few epochs. It then memorizes most of the wrong labels, and
  its accuracy falls.
- `MAE`, which suits ten classes, memorizes nothing, because it hardly learns
  anything.
- `MAE*`, `GCE-auto` and `ScaledMAE`, which are matched to a thousand classes,
  learn from the first epoch on. They memorize few of the wrong labels and end
  above `CE`.

Try `--classes 10`: `MAE` then needs no correction, and `MAE*` and `ScaledMAE`
equal `MAE`.

In your own program, only one line changes:

```python
model.compile("adam", loss=ScaledMAE(num_classes=1000))
```

The bias of `MAE*` and the scale of `ScaledMAE` only apply in the loss, so
predict with `model.predict` as usual.
"""
