"""Train with `Resume`; as a script, until SIGKILL comes at a given moment."""

import os
import random
import signal
import sys
import threading

import keras
import numpy as np

from keras_noisy.callbacks import Resume
from keras_noisy.datasets import ImageDataset, load, pipeline
from keras_noisy.losses import ELR, with_index
from keras_noisy.metrics import LabelAccuracy

EPOCHS, BATCHES, BATCH_SIZE = 3, 7, 16
READERS = {"pipeline": pipeline, "ImageDataset": ImageDataset}


def network(loss, **compile_arguments):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(8, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3)(x)
    outputs = keras.layers.Dense(10, activation="softmax")(x)
    model = keras.Model(inputs, loss.connect(outputs))
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * BATCHES),
        momentum=0.9,
        clipnorm=5.0,
    )
    metrics = [LabelAccuracy()]
    model.compile(optimizer, loss, metrics=metrics, **compile_arguments)
    return model


def train(directory, reader="pipeline", save_freq=2, callbacks=(), **arguments):
    """All weights, states and metrics."""
    keras.utils.set_random_seed(1)
    samples = BATCHES * BATCH_SIZE + 5
    data = load(
        "digits", "symmetric", 0.4, seed=2, num_classes=10, num_samples=samples
    )
    images = np.repeat(data.x_train[..., None], 3, axis=-1)
    tests = np.repeat(data.x_test[:48, ..., None], 3, axis=-1)
    resume = Resume(directory, save_freq)
    read = READERS[reader]
    elr = ELR(samples, logit_bias=2.0, fade="margin")
    model = network(elr, **arguments)
    given = images, with_index(data.y_train)
    model.fit(
        read(given, BATCH_SIZE, None, "cifar", True, 3, start=resume.start),
        validation_data=read((tests, data.y_test[:48]), 32, None, "cifar"),
        epochs=EPOCHS,
        initial_epoch=resume.initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[*callbacks, resume],
    )
    state = [*model.variables, *model.optimizer.variables]
    return {
        **{
            f"{i} {variable.path}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(state)
        },
        **{k: np.array(v) for k, v in resume.history.items()},
    }


def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)


class KillAfter(keras.callbacks.Callback):
    """Kills the process at the end of the batch of this number."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if not self.batches:
            kill()


def main():
    reader, directory, moment, seed = sys.argv[1:]
    draw = random.Random(int(seed))
    callbacks = []
    if moment == "after some batches":
        callbacks.append(KillAfter(draw.randint(1, BATCHES)))
    elif moment == "any time":
        # In the first steps, or later at any point.
        wait = threading.Timer(draw.uniform(0.0, 0.3), kill)
        callbacks.append(
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: wait.start()
            )
        )
    elif moment == "before a file is whole":
        os.fsync = kill
    elif moment == "before a file has its name":
        os.replace = kill
    train(directory, reader, callbacks=callbacks)


if __name__ == "__main__":
    main()
