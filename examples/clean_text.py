"""
Title: Wrong labels of texts
Author: The keras-noisy authors
Date created: 2026/11/27
Last modified: 2026/11/27
Description: Texts become features; their neighbors tell which labels are wrong.
Accelerator: None
"""

"""
## Introduction

Texts are labeled by rules, by crowds, and by hand in a hurry. You can find
wrong labels of texts in the same way as those of images: turn every text into a
row of features, and check whether its label fits its neighbors.

Real texts come with every installation of Keras: the paragraphs of the
documentation of Keras and NumPy. The label of a paragraph is the part of the
library that it documents. We then make some of these labels wrong.

The script takes a minute, and needs no download.
"""

"""
## Setup
"""

import argparse
import inspect
import re
import sys
from collections import Counter

import keras
import numpy as np
from keras import layers

import keras_noisy
from keras_noisy import losses, noise
from keras_noisy.quality import FeatureQuality

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python clean_text.py --help` lists the options of the script. In a notebook,
write them into the empty list: `["--rate", "0.5"]`.
"""

parser = argparse.ArgumentParser(
    description="Find wrong labels of texts, and train without them.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--rate", type=float, default=0.3, help="share of wrong labels")
option("--features", type=int, default=100, help="numbers for each text")
option("--epochs", type=int, default=10, help="passes of a head over the data")
option("--seed", type=int, default=0, help="of noise, split and training")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.epochs < 1:
    parser.error("--epochs must be 1 or more")

"""
## Texts

We use paragraphs of five words or more, without code. Paragraphs that occur in
several parts have no clear label and are left out.
"""

PARTS = {
    "layers": keras.layers,
    "losses": keras.losses,
    "metrics": keras.metrics,
    "optimizers": keras.optimizers,
    "callbacks": keras.callbacks,
    "operations": keras.ops,
    "linear algebra": np.linalg,
    "random numbers": np.random,
    "polynomials": np.polynomial.polynomial,
    "masked arrays": np.ma,
}


def paragraphs(part):
    """The docstrings of all public names of a module, each once."""
    found = {}
    for name in dir(part):
        if name.startswith("_") or inspect.ismodule(getattr(part, name)):
            continue
        for text in (inspect.getdoc(getattr(part, name)) or "").split("\n\n"):
            text = " ".join(text.split())
            words = re.findall("[a-z]{3,}", text.lower())
            if not re.search("`{3}|>>>", text) and len(words) >= 5:
                found[text] = words
    return found


by_part = [paragraphs(part) for part in PARTS.values()]
parts_with = Counter(text for found in by_part for text in found)
texts, words, y = [], [], []
for label, found in enumerate(by_part):
    for text in found:
        if parts_with[text] == 1:
            texts.append(text)
            words.append(found[text])
            y.append(label)
y = np.array(y)
print(f"{len(texts):,} paragraphs about {len(PARTS)} parts, such as")
print(f"  {list(PARTS)[y[0]]}: {texts[0][:60]}")

"""
## Features

The features count the words of a text, weighted by how rare they are in other
texts, and keep the directions in which the texts differ most. This needs only
NumPy and runs on every backend. A language model does better; one from KerasHub
gives the same kind of rows (and downloads its weights):

```
bert = keras_hub.models.BertBackbone.from_preset("bert_base_en_uncased")
tokens = keras_hub.models.BertTextClassifierPreprocessor.from_preset(
    "bert_base_en_uncased", sequence_length=128
)
network = keras.Model(bert.input, bert.output["pooled_output"])
x = keras_noisy.quality.features(network, tokens(texts))
```
"""

generator = np.random.default_rng(options.seed)
order = generator.permutation(len(texts))
train, test = order[len(order) // 5 :], order[: len(order) // 5]


def weighted_counts(known):
    """Word counts, with higher weights for rare words; rows of length 1."""
    seen = Counter(word for i in known for word in set(words[i]))
    kept = sorted(word for word, times in seen.items() if times > 2)
    column = {word: at for at, word in enumerate(kept)}
    rarity = np.log(len(known) / np.array([seen[word] for word in column]))
    table = np.zeros((len(texts), len(column)), "float32")
    for row, text in zip(table, words, strict=True):
        for word, times in Counter(text).items():
            if word in column:
                row[column[word]] = 1 + np.log(times)
    table *= rarity
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.maximum(length, 1e-6)


def directions(table, number, steps=4):
    """The leading right singular vectors, by power iteration."""
    start = generator.normal(size=(table.shape[1], number + 10))
    basis = np.linalg.qr(table @ start)[0]
    for _ in range(steps):
        basis = np.linalg.qr(table @ (table.T @ basis))[0]
    return np.linalg.svd(basis.T @ table, full_matrices=False)[2][:number].T


table = weighted_counts(train)
x = table @ directions(table[train], options.features)
# A text with only unknown words has zero features: add a shared direction.
x = np.column_stack([x, np.full(len(x), 1e-3)]).astype("float32")
x, x_test, y_test = x[train], x[test], y[test]
true, texts = y[train], [texts[i] for i in train]

"""
## Find the wrong labels
"""

matrix = noise.symmetric(len(PARTS), options.rate)
given = noise.corrupt(true, matrix, seed=options.seed).labels
found = FeatureQuality(x, given, clean_labels=true, class_names=list(PARTS))
estimate = found.estimate()
low, high = (100 * end for end in estimate.interval)
precision, recall = found.precision_recall(estimate.count)
print(
    f"{100 * np.mean(given != true):.1f} % of the labels are wrong, estimated "
    f"{100 * estimate.rate:.1f} % ({low:.1f} to {high:.1f}); "
    f"{100 * precision:.1f} % of the suspects are, {100 * recall:.1f} % of the "
    "wrong ones are among them. The worst:"
)
for i in found.suspects(5):
    label, better = (
        found.class_names[c] for c in (given[i], found.predicted[i])
    )
    print(f"  {label}, rather {better}: {texts[i][:60]}")

"""
## Mend them, and train a head
"""


def accuracy(loss, inputs, labels, sample_weight=None):
    """Accuracy of a head on clean test labels, in percent."""
    keras.utils.set_random_seed(options.seed)
    head = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Rescaling(10.0),  # entries of about 1
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(len(PARTS)),
        ]
    )
    head.compile(keras.optimizers.Adam(2e-3), loss)
    head.fit(
        inputs,
        labels,
        batch_size=128,
        epochs=options.epochs,
        sample_weight=sample_weight,
        verbose=0,
    )
    logits = head.predict(x_test, batch_size=1_000, verbose=0)
    return 100 * np.mean(logits.argmax(axis=-1) == y_test)


heads = {
    "CrossEntropy": losses.CrossEntropy(from_logits=True),
    "GCE": losses.GCE(q=0.7, from_logits=True),
}
ways = {
    "as they are": (x, given),
    **{way: found.clean(x, given, way) for way in ("drop", "relabel", "soft")},
    "true": (x, true),
}
print(f"\n| labels | {' | '.join(heads)} |\n| --- |" + " --- |" * len(heads))
for name, data in ways.items():
    cells = [f"{accuracy(loss, *data):.1f}" for loss in heads.values()]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)
