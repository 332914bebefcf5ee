"""
Title: Session recommendation with clicks as noisy labels
Author: The keras-noisy authors
Date created: 2026/11/26
Last modified: 2026/11/26
Description: Graph networks learn from sessions of clicks with any robust loss.
Accelerator: None
"""

"""
## Introduction

A visitor of a shop clicks on a few items, and we recommend the next one. Each
item is a class: Diginetica has 43,097 items. A click is a noisy label, because
people click for many reasons. Robust losses fail with so many classes unless
they are calibrated.

We train a graph network on sessions, with a loss of your choice:

```
python session_recommendation.py --data-dir FOLDER --share 0.0625
python session_recommendation.py --data-dir FOLDER --loss GCE* --replace 0.2
python session_recommendation.py --smoke
```

`FOLDER` contains `train-item-views.csv` of the CIKM Cup 2016 or `sessions.npz`:
see `keras_noisy.datasets.load_sessions`. `--replace 0.2` replaces a fifth of
the training clicks at random.
"""

"""
## Setup

Choose the backend with the environment variable `KERAS_BACKEND`.
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

import keras_noisy
from keras_noisy import losses
from keras_noisy.datasets import SessionDataset, Sessions, load_sessions
from keras_noisy.metrics import MRRAt, RecallAt
from keras_noisy.models import PIAGNN, SRGNN

print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"keras-noisy {keras_noisy.__version__}"
)

"""
## Options

`python session_recommendation.py --help` lists the options of the script. In a
notebook, put them in the empty list: `["--smoke"]`.
"""

parser = argparse.ArgumentParser(
    description="Recommend the next item of a session of clicks.",
    formatter_class=argparse.ArgumentDefaultsHelpFormatter,
)
option = parser.add_argument
option("--data-dir", type=Path, help="folder with the sessions of Diginetica")
option("--model", choices=["SR-GNN", "TAGNN", "PIA-GNN"], default="SR-GNN")
option("--loss", default="CE", help="any of keras_noisy.losses.names()")
option(
    "--replace",
    type=float,
    default=0.0,
    metavar="RATE",
    help="share of the training clicks that are replaced at random",
)
option("--share", type=float, default=1.0, help="last share of the samples")
option("--epochs", type=int, default=6, help="passes over the samples")
option("--batch-size", type=int, default=100)
option("--units", type=int, default=100, help="width of all vectors")
option("--seed", type=int, default=0)
option("--smoke", action="store_true", help="a few seconds on made-up clicks")
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if options.smoke:
    options.units, options.epochs, options.batch_size = 16, 3, 50

requirements = {
    "--data-dir is needed, or --smoke": options.smoke or options.data_dir,
    "--replace must be at least 0 and below 1": 0 <= options.replace < 1,
    "--share must be above 0 and at most 1": 0 < options.share <= 1,
    "--epochs must be 1 or more": options.epochs >= 1,
    "--batch-size must be 1 or more": options.batch_size >= 1,
    "--units must be 1 or more": options.units >= 1,
    "--seed must be 0 or more": options.seed >= 0,
}
for requirement, met in requirements.items():
    if not met:
        parser.error(requirement)

"""
## Sessions

Every prefix of a session is a sample. With `--smoke`, the sessions are random
walks on a ring of 60 items that mostly step to the next item.
"""

if options.smoke:
    rng = np.random.default_rng(options.seed)
    walks = [
        np.cumsum(
            [rng.integers(60), *rng.choice([1, 2, 9], 5, p=[0.8, 0.1, 0.1])]
        )
        for _ in range(500)
    ]
    walks = [walk % 60 + 1 for walk in walks]
    train, test = Sessions(walks[:400], 60), Sessions(walks[400:], 60)
else:
    data = load_sessions("diginetica", options.data_dir)
    train, test = data.train, data.test
train = train.replaced(options.replace, options.seed).last(options.share)
num_items = train.num_items
print(
    f"{len(train):,} training samples, {len(test):,} test samples, "
    f"{num_items:,} items; {options.replace:.0%} of the clicks replaced"
)

"""
## The loss

`--loss` is the name of any loss that takes logits, except a loss with a memory,
which would store a number for each pair of a sample and an item, `OGC`, which
needs a layer in the model, and `GJS`, which needs several views of a sample.
"""

try:
    loss = losses.get(options.loss, num_classes=num_items, from_logits=True)
except (TypeError, ValueError) as error:
    parser.error(f"--loss {error}")
if isinstance(loss, losses.MemoryLoss):
    parser.error(f"--loss {options.loss} needs a memory of every sample")
if isinstance(loss, losses.OGC):
    parser.error(f"--loss {options.loss} needs a layer in the model")
if getattr(loss, "views", 1) > 1:
    parser.error(f"--loss {options.loss} needs several views of each sample")

"""
## The model

As published, the learning rate starts at 0.001 and is divided by 10 after every
third epoch. The gradient of the L2 penalty is `1e-5 w`, where `w` is a weight.
"""

keras.utils.set_random_seed(options.seed)
arguments = {"regularizer": keras.regularizers.L2(5e-6)}
if options.model == "PIA-GNN":
    model = PIAGNN(num_items, options.units, **arguments)
else:
    model = SRGNN(
        num_items,
        options.units,
        target_attention=options.model == "TAGNN",
        **arguments,
    )

batches = SessionDataset(
    train, options.batch_size, training=True, seed=options.seed
)
rate = 0.02 if options.smoke else 1e-3


def learning_rate(epoch):
    """A tenth after every third epoch."""
    return rate * 0.1 ** (epoch // 3)


model.compile(
    keras.optimizers.Adam(rate), loss, metrics=[RecallAt(20), MRRAt(20)]
)
history = model.fit(
    batches,
    epochs=options.epochs,
    shuffle=False,
    callbacks=[keras.callbacks.LearningRateScheduler(learning_rate)],
    verbose=0 if options.smoke else 1,
)

"""
## Results

P@20 is the share of test clicks that are among the 20 recommended items. MRR@20
is the mean reciprocal rank of the clicked item. A click that is not among the
20 items counts as 0.
"""

found = model.evaluate(
    SessionDataset(test, options.batch_size, by_length=True),
    verbose=0,
    return_dict=True,
)
print(f"P@20   {100 * found['recall_at_20']:.2f} %")
print(f"MRR@20 {100 * found['mrr_at_20']:.2f} %")

"""
## Recommend

The model recommends items for one test session, the best item first.
"""

session, clicked = test[0]
items, scores = model.recommend(session, k=min(10, num_items))
print(f"After the clicks {session.tolist()} we recommend {items.tolist()}.")
print(f"The next click was on {clicked}.")
