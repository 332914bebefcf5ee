"""LabelQuality callbacks that have seen predictions of a few epochs."""

import functools

import keras
import numpy as np

from keras_noisy.callbacks import LabelQuality

SCORES = ("area_under_margin", "margin", "loss", "forgetting")

#: Predictions of four samples, labeled 0, 0, 1 and 2, after four epochs.
EPOCHS = np.array(
    [
        [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
        [[0.2, 0.7, 0.1], [0.2, 0.5, 0.3], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
        [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]],
        [[0.1, 0.6, 0.3], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.1, 0.7]],
    ]
)
LABELS = np.array([0, 0, 1, 2])

#: Inputs of four samples.
X = np.zeros((4, 2, 2), "float32")


def shown(epochs, labels, first_epoch=0, **arguments):
    """A callback that saw these predictions, and the logs of each epoch."""
    x = np.zeros(np.shape(epochs)[1:], "float32")
    quality = LabelQuality(x, labels, **arguments)
    quality.set_model(identity(x.shape[1:]))
    history = []
    for epoch, predictions in enumerate(epochs, first_epoch):
        x[:] = predictions
        history.append({})
        quality.on_epoch_end(epoch, history[-1])
    return quality, history


@functools.cache
def identity(shape, dtype="float32"):
    """A model that predicts its input."""
    layer = keras.layers.Identity(dtype=dtype)
    return keras.Sequential([keras.Input(shape, dtype=dtype), layer])


def probabilities(count=100):
    """Predictions of a data set, and labels that often contradict them."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), count).astype("float32")
    return p, rng.integers(3, size=count)


def seen(x, labels, epochs=1, dtype="float32"):
    """A callback of a model that predicts what it is given."""
    quality = LabelQuality(x, labels)
    quality.set_model(identity((3,), dtype))
    for epoch in range(epochs):
        quality.on_epoch_end(epoch)
    return quality
