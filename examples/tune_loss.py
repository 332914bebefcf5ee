"""
Title: How much tuning a loss gains
Author: The keras-noisy authors
Date created: 2026/11/21
Last modified: 2026/11/21
Description: A search over losses with KerasTuner that only uses noisy labels.
Accelerator: None
"""

"""
## Introduction

Losses for noisy labels have a hyperparameter that decides how robust they are:
the logit bias of `MAEStar`, `q` of `GCE`, or the weight of `NCE` in `NCE+RCE`.
`keras-noisy` computes the first two from the number of classes. Does a search
find better values?

We first try each loss with its computed (or published) value, without any
tuning. A random search over the losses and their hyperparameters follows. The
search only sees noisy labels: the validation labels are as noisy as the
training labels, since clean ones are rarely available in practice. This works
if all wrong classes are equally likely: a network that is right more often then
also agrees with more of the noisy labels. The accuracy on the clean test labels
is only reported at the end and never used to choose a loss.

The example takes a few minutes on two CPU cores and needs no download.
"""

"""
## Setup

`pip install ".[tuner,examples]"` installs everything except a backend. Choose
the backend with the environment variable `KERAS_BACKEND`.
"""

import argparse
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import tuning
from keras_noisy.datasets import load

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python tune_loss.py --help` lists the options of the script. In a notebook,
put them in the empty list: `["--classes", "1000"]`.

To resume a search that was stopped, run the script again with the same options;
`--trials` may be larger.
"""

parser = argparse.ArgumentParser(
    description="Search for a loss for handwritten numbers with wrong labels.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option(
    "--classes",
    type=int,
    choices=[10, 100, 1000],
    default=100,
    help="numbers of one, two or three digits",
)
option("--noise", type=float, default=0.4, help="share of wrong labels")
option("--samples", type=int, default=20_000, help="training and validation")
option("--trials", type=int, default=16, help="with those without tuning")
option("--epochs", type=int, default=6, help="of each trial")
option("--seed", type=int, default=0, help="seed of data, training and search")
option(
    "--losses",
    nargs="+",
    default=["CrossEntropy", "MAEStar", "GCE", "NCE+RCE"],
    metavar="LOSS",
    help="names of losses to choose from",
)
option(
    "--directory",
    type=Path,
    default="tune_loss",
    help="folder that keeps the trials",
)
option("--smoke", action="store_true", help="a few samples, to try it out")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.smoke:
    options.samples, options.epochs = 1_250, 1
    options.trials = len(options.losses) + 1

requirements = {
    "--noise must be at least 0 and below 1": 0 <= options.noise < 1,
    "--samples must be 5 or more": options.samples >= 5,
    "--trials must be one for each loss or more": options.trials
    >= len(options.losses),
    "--epochs must be 1 or more": options.epochs >= 1,
    "--seed must be at least 0 and below 2**31": 0 <= options.seed < 2**31,
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## Images with wrong labels

The images are numbers made of the handwritten digits of scikit-learn. A fifth
of them is kept for validation and has wrong labels like the rest. The test
images are made of other handwritten digits, and their labels are clean.
"""

data = load(
    "digits",
    noise="symmetric",
    rate=options.noise,
    seed=options.seed,
    num_classes=options.classes,
    num_samples=options.samples,
)
images = data.x_train / np.float32(255)
training = slice(options.samples // 5, None)
validation = slice(options.samples // 5)
x_test, y_test = data.x_test / np.float32(255), data.y_test
print(f"{data.rate:.1%} of {options.samples} labels are wrong.")

"""
## A model with a tunable loss

Pass `tuning.search_loss` as the loss of the model. You can also search other
values, such as `hp.Float("learning_rate", 0.01, 0.3, sampling="log")`. Every
trial starts from the same weights.
"""


def build_model(hp):
    """The network of a trial, compiled with its loss."""
    keras.utils.set_random_seed(options.seed)
    inputs = keras.Input(shape=images.shape[1:])
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dense(256)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    outputs = layers.Dense(options.classes, activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
        loss=tuning.search_loss(hp, options.classes, losses=options.losses),
        metrics=["accuracy"],
    )
    return model


"""
## The search

The objective is the accuracy on the noisy validation labels. The validation
loss is not suitable, because its scale differs between losses. KerasTuner keeps
the trials in a folder. Here each set of options has its own folder.
"""


class Search(keras_tuner.RandomSearch):
    """A random search that says what it does."""

    def on_trial_end(self, trial):
        """Print the accuracy of the trial, or that it failed."""
        super().on_trial_end(trial)
        score = "" if trial.score is None else f"{trial.score:.1%}"
        print(f"trial {trial.trial_id}", trial.status, score, flush=True)


project = "-".join(
    str(value)
    for name, value in vars(options).items()
    if name in ("classes", "noise", "samples", "epochs", "seed")
)
tuner = Search(
    build_model,
    objective="val_accuracy",
    max_trials=options.trials,
    # KerasTuner treats the seed 0 as no seed.
    seed=options.seed + 1,
    directory=options.directory,
    project_name=f"{keras.backend.backend()}-{project}",
)
tuning.start_with_baselines(tuner)
tuner.search(
    images[training],
    data.y_train[training],
    validation_data=(images[validation], data.y_train[validation]),
    batch_size=250,
    validation_batch_size=1_000,
    epochs=options.epochs,
    verbose=0,
)

"""
## Results

The gain is measured against the best loss without tuning. The best trial is
chosen from many on the validation labels, so part of its gain there is luck.
The clean test labels show how much of the gain remains. The table also lists
failed trials.
"""


def test(model):
    """Accuracy on clean test labels."""
    return model.evaluate(
        x_test, y_test, batch_size=1_000, verbose=0, return_dict=True
    )["accuracy"]


results = tuning.summary(tuner, test)
print(results)

best = results.best.accuracy
error = np.sqrt(best * (1 - best) / len(images[validation]))
print(f"The standard error of an accuracy on these labels is {error:.1%}.")
gain = results.gain(results.best)
if gain is not None and 0 < gain < error:
    print("The gain is less than that: it may be nothing but luck.")

"""
## What it shows

With the default options:

- Validation and test accuracy rank the trials almost alike, although 40 % of
  the validation labels are wrong. Noisy labels are enough to choose a loss.
- `GCE` with the computed `q` is as good as the best loss that the search finds,
  so the search gains nothing here.
- The published weight of `NCE+RCE` was chosen for another data set. A weight
  that is seven times as large is far better here, so a search helps this pair.

In your own program:

```python
loss = tuning.search_loss(hp, num_classes)
model.compile("adam", loss=loss, metrics=["accuracy"])
```
"""
