"""Tasks with wrong labels, with the data that methods to find them need."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tasks import logits_of, read

from keras_noisy import noise
from keras_noisy.callbacks import LabelQuality
from keras_noisy.losses import GCE, CrossEntropy, ScaledMAE
from keras_noisy.quality import (
    FeatureQuality,
    find_label_issues,
    nearest_neighbors,
)
from keras_noisy.quality import features as features_of

LOSSES = {
    "CrossEntropy": CrossEntropy,
    "GCE auto": functools.partial(GCE, "auto"),
    "ScaledMAE": ScaledMAE,
}
#: Noises, epochs and loss of the networks that find wrong labels. The network
#: is a head on frozen features, or trains as a whole.
TASKS = {
    "features-100": (
        ("human", "symmetric .2", "symmetric .4", "symmetric .6",
         "asymmetric .4", "instance .4"),
        8, "CrossEntropy",
    ),
    "digits-1000": (("symmetric .4", "asymmetric .4"), 12, "GCE auto"),
    "fashion-mnist": (("symmetric .4", "asymmetric .4"), 6, "GCE auto"),
}  # fmt: skip
#: Cells whose cleaned data train a network.
MENDED = {
    "features-100": ("human", "symmetric .4", "asymmetric .4"),
    "digits-1000": ("symmetric .4",),
    "fashion-mnist": (),
}
NEIGHBORS, BATCH = 51, 256


@functools.lru_cache(maxsize=1)
def of_features(folder: Path, samples: int | None) -> Any:
    """Neighbors among the frozen features, for any labels."""
    data = read("features-100", "clean", 0, folder)
    return nearest_neighbors(data.x[:samples], NEIGHBORS)


class Data:
    """A task with one kind of noise; slow parts are computed on first use."""

    def __init__(self, task: str, kind: str, folder: Path, samples: int | None):
        self.task, self.folder, self.samples = task, folder, samples
        _, self.epochs, self.loss = TASKS[task]
        name, _, rate = kind.partition(" ")
        instance = name == "instance"
        found = read(task, "clean" if instance else kind, 0, folder)
        self.x, self.clean = found.x[:samples], found.clean[:samples]
        self.labels = found.y[:samples]
        self.x_test, self.y_test = found.x_test, found.y_test
        self.num_classes = found.num_classes
        if instance:
            made = noise.instance_dependent(self.x, self.clean, float(rate))
            self.labels = made.labels
        self.wrong = self.labels != self.clean

    def network(self, count: int, loss: str | None = None) -> keras.Model:
        """A new network, for `count` samples and the loss of the task."""
        inputs = keras.Input(self.x.shape[1:])
        outputs = logits_of(self.task, inputs, self.num_classes, 0)
        steps = self.epochs * -(-count // BATCH)
        rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
        model = keras.Model(inputs, outputs)
        model.compile(
            keras.optimizers.SGD(rate, 0.9),
            LOSSES[loss or self.loss](
                from_logits=True, num_classes=self.num_classes
            ),
        )
        return model

    @functools.cached_property
    def watched(self) -> tuple[keras.Model, LabelQuality]:
        """A trained network, and the `LabelQuality` of its training."""
        keras.utils.set_random_seed(0)
        quality = LabelQuality(
            self.x, self.labels, from_logits=True, batch_size=2048
        )
        model = self.network(len(self.x))
        model.fit(
            self.x, self.labels, BATCH, self.epochs, callbacks=[quality],
            verbose=0,
        )  # fmt: skip
        return model, quality

    @functools.cached_property
    def out_of_fold(self) -> np.ndarray:
        return noise.out_of_fold_probabilities(
            lambda: self.network(len(self.x) * 2 // 3),
            self.x,
            self.labels,
            folds=3,
            from_logits=True,
            verbose=0,
            epochs=self.epochs,
            batch_size=BATCH,
        )

    @functools.cached_property
    def issues(self) -> np.ndarray:
        """The suspects of cleanlab, from out-of-fold predictions."""
        return find_label_issues(self.out_of_fold, self.labels, n_jobs=1)

    @functools.cached_property
    def neighbors(self) -> Any:
        """Neighbors of frozen features, or of the last hidden layer."""
        if self.task.startswith("features"):
            return of_features(self.folder, self.samples)
        model, _ = self.watched
        x = features_of(model, self.x, model.layers[-2], 2048, verbose=0)
        mean, std = (f(x.astype("float32"), axis=0) for f in (np.mean, np.std))
        return nearest_neighbors((x - mean) / (std + 1e-3), NEIGHBORS)

    @functools.cached_property
    def votes(self) -> FeatureQuality:
        return FeatureQuality(None, self.labels, neighbors=self.neighbors)

    def mended(self, way: str) -> tuple[Any, ...]:
        """Samples, labels and sometimes weights to train on."""
        if way == "given":
            return self.x, self.labels
        if way == "true":
            return self.x, self.clean
        if way == "cleanlab":
            kept = np.ones(len(self.x), bool)
            kept[self.issues] = False
            return self.x[kept], self.labels[kept]
        return self.votes.clean(self.x, self.labels, way)
