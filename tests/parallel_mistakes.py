"""Mistakes of PyTorch processes, and their errors."""

import keras
import numpy as np

from keras_noisy import CrossEntropy
from keras_noisy.losses import ELR, with_index

X, Y = np.ones((8, 3), "float32"), np.zeros(8, int)


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


class Drift(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.set_weights([w + 1 for w in self.model.get_weights()])


def fit(parallel, x, y, loss=None, kind=keras.Model, batch_size=2, **arguments):
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(2, activation="softmax")(inputs)
    if isinstance(loss, ELR):
        outputs = loss.memory(outputs)
    model = kind(inputs, outputs)
    model.compile("sgd", loss or CrossEntropy())
    fit = parallel.fit if parallel else keras.Model.fit
    fit(model, x, y, batch_size=batch_size, shuffle=False, **arguments)


def mistakes(parallel):
    first = parallel.is_chief
    more = 8 if first else 4
    yield "batches", lambda: fit(parallel, X[:more], Y[:more], epochs=2)
    yield "alone", lambda: fit(None, X, Y)
    yield "sizes", lambda: fit(parallel, X, Y, batch_size=more)
    memory = ELR(num_samples=8)
    yield "memory", lambda: fit(parallel, X, with_index(Y), memory)
    yield "own step", lambda: fit(parallel, X, Y, kind=OwnStep)
    yield (
        "drift",
        lambda: fit(parallel, X, Y, callbacks=[] if first else [Drift()]),
    )


def errors(parallel):
    """The error of each mistake in this process."""
    found = {}
    for name, mistake in mistakes(parallel):
        try:
            mistake()
        except ValueError as error:
            found[name] = str(error)
    return found
