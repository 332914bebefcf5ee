"""
Title: A competition with wrong labels
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: Folds, label smoothing, mixup, a robust loss and dropped suspects.
Accelerator: None
"""

"""
## Introduction

Image competitions, for example on plants or faces, have many wrong labels, also
in the test set. Winners often use similar tricks: they average the
predictions of networks from several folds, use label smoothing, mixup and a
robust loss, and do not train on samples whose labels contradict the
predictions. Each trick is one argument or line here.

The images of five classes come from scikit-learn, so that the notebook runs
without internet access. Replace them with your own folder of photos or a CSV
file of paths and labels. Set `SHORT_RUN=1` in the environment for a short run.
"""

"""
## Setup without internet

Attach a data set with the wheel of this package (`pip wheel --no-deps .` builds
it). The package is pure Python and only needs Keras and NumPy, which Kaggle
provides.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

for wheel in Path("/kaggle/input").glob("*/keras_noisy-*.whl"):
    command = [sys.executable, "-m", "pip", "install", "--no-deps", str(wheel)]
    subprocess.run(command, check=True)

import keras
import numpy as np
from keras import layers
from PIL import Image

import keras_noisy
from keras_noisy.datasets import ImageDataset, ImageFiles, load
from keras_noisy.losses import CrossEntropy, ScaledMAE
from keras_noisy.noise import corrupt, symmetric

SHORT = bool(os.environ.get("SHORT_RUN"))
IMAGES, EPOCHS, FOLDS, SIZE = (300, 1, 2, 8) if SHORT else (1000, 25, 3, 8)
CLASSES = ("zero", "one", "two", "three", "four")
keras.utils.set_random_seed(0)
print(
    f"keras-noisy {keras_noisy.__version__}, Keras {keras.__version__}, "
    f"NumPy {np.__version__}, {keras.backend.backend()}, "
    f"Python {sys.version.split()[0]}"
)

"""
## A folder of images

We write handwritten digits from 0 to 4 to one folder per class, the usual
format of a competition. 40 % of the training images are in the folder of
another class. The labels of the test images are correct, so that we see which
tricks help. The folders are new ones, without the images of an earlier run.
"""

FOLDER = Path(tempfile.mkdtemp())


def write(folder, images, classes):
    """Pictures, each in the folder of a class."""
    for number, (image, inside) in enumerate(zip(images, classes, strict=True)):
        place = Path(folder, CLASSES[inside])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:05}.png")


data = load("digits", "symmetric", rate=0.4, num_classes=10)
chosen = np.flatnonzero(data.y_clean < len(CLASSES))[:IMAGES]
y_clean = data.y_clean[chosen]
given = corrupt(y_clean, symmetric(len(CLASSES), 0.4), seed=0).labels
write(FOLDER / "train", data.x_train[chosen].squeeze(), given)
chosen = np.flatnonzero(data.y_test < len(CLASSES))[:IMAGES]
write(FOLDER / "test", data.x_test[chosen].squeeze(), data.y_test[chosen])

"""
## The baseline

The baseline is a small network that trains with cross-entropy on all labels.
"""

files = ImageFiles.from_directory(FOLDER / "train", CLASSES)
test = ImageFiles.from_directory(FOLDER / "test", CLASSES)
test_data = ImageDataset(test, image_size=SIZE)
is_wrong = y_clean[[int(Path(file).stem) for file in files.files]]
is_wrong = is_wrong != files.labels


def network(loss):
    """A compiled network that returns probabilities."""
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return model


def accuracy(probabilities):
    """Share of test images whose class is predicted."""
    return np.mean(np.argmax(probabilities, axis=-1) == test.labels)


def trained(loss, chosen, seed=0, **arguments):
    """A network that has seen the chosen training images."""
    part = files.files[chosen], files.labels[chosen]
    data = ImageDataset(part, 32, SIZE, training=True, seed=seed, **arguments)
    model = network(loss)
    model.fit(data, epochs=EPOCHS, shuffle=False, verbose=0)
    return model


everything = np.arange(len(files.files))
model = trained(CrossEntropy(), everything)
baseline = accuracy(model.predict(test_data, verbose=0))
print(f"Cross-entropy: {baseline:.1%}")

"""
## Five tricks against wrong labels

The tricks are a robust loss, label smoothing, mixup, folds and dropping
suspects. The network of each fold predicts the images that it has not seen. A
label is a suspect if its predicted probability is less than half the
probability of the most likely class.
"""


def folds_of(chosen, loss, seed):
    """Mean test prediction, and the predictions of what was left out."""
    places = np.random.default_rng(seed).permutation(len(chosen)) % FOLDS
    unseen, mean = np.zeros((len(files.files), len(CLASSES))), 0.0
    for fold in range(FOLDS):
        model = trained(
            loss,
            chosen[places != fold],
            fold,
            mix="mixup",
            num_classes=len(CLASSES),
        )
        left = chosen[places == fold]
        part = files.files[left], files.labels[left]
        unseen[left] = model.predict(
            ImageDataset(part, image_size=SIZE), verbose=0
        )
        mean = mean + model.predict(test_data, verbose=0) / FOLDS
    return mean, unseen


loss = ScaledMAE(label_smoothing=0.1)
first, unseen = folds_of(everything, loss, seed=0)
believed = unseen[everything, files.labels]
kept = everything[believed >= 0.5 * unseen.max(axis=1)]
second, _ = folds_of(kept, loss, seed=1)

"""
## What the tricks gain

We average the predictions of the networks in each round. The first round saw
all labels, and the second round did not see the suspects.
"""

dropped = np.setdiff1d(everything, kept)
precision = is_wrong[dropped].mean() if len(dropped) else 0.0
recall = is_wrong[dropped].sum() / is_wrong.sum()
rows = {
    "cross-entropy, one network": baseline,
    f"{FOLDS} folds, mixup, smoothing, ScaledMAE": accuracy(first),
    "the same without suspects": accuracy(second),
}
for name, value in rows.items():
    print(f"{name:<45} {value:.1%}")
print(
    f"suspects: {len(dropped)} of {len(everything)}, "
    f"{precision:.0%} of them wrong; {recall:.0%} of all wrong labels"
)

"""
## For your own competition

- Start with weights of `keras.applications` instead of this network, and use
  `augment="webvision"` with `image_size=224`.
- `SmallLoss(CrossEntropy(), keep="mixture")` drops suspects during training,
  `SELC` corrects their labels, and `OGC` clips their gradients: see
  `docs/tricks.md`.
- `callbacks.LabelQuality` writes a page on which you review the suspects.
"""
