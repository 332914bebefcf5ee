"""Well-separated classes with some wrong labels, and a model for them."""

import keras
import numpy as np


def blobs(count=300, wrong=0.2, seed=0):
    """Three well-separated classes with some wrong labels."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(3, size=count)
    x = rng.normal(size=(count, 4)) / 6 + np.eye(3, 4)[clean]
    labels = np.where(rng.random(count) < wrong, (clean + 1) % 3, clean)
    return x.astype("float32"), labels, clean


def classifier():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def fit(model, x, y, callbacks, epochs=3, batch_size=10):
    """The history of a training."""
    return model.fit(
        x,
        y,
        batch_size,
        epochs,
        verbose=0,
        callbacks=callbacks,
        # On PyTorch the order is drawn from a generator that `predict` uses.
        shuffle=False,
    ).history
