"""A small model of a loss that remembers each sample, and its data."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_noisy.losses import ELR, SOP

SAMPLES, CLASSES = 32, 5

both = pytest.mark.parametrize(
    "loss_class", [ELR, pytest.param(SOP, marks=pytest.mark.once)]
)


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SAMPLES, 8)).astype("float32")
    return x, rng.integers(CLASSES, size=SAMPLES)


def network(loss, learning_rate=0.0, **compile_arguments):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(CLASSES)(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile(
        keras.optimizers.SGD(learning_rate), loss, **compile_arguments
    )
    return model


def state(loss, name):
    return np.array(ops.convert_to_numpy(loss.memory.state(name)))[:-1]
