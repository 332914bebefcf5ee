"""Train in several processes, one of which may die; print the results.

Each given folder is a separate run.
"""

import json
import os
import signal
import sys

import keras
import numpy as np

from keras_noisy import GCE
from keras_noisy.callbacks import Resume
from keras_noisy.datasets import ImageDataset, pipeline
from keras_noisy.distribution import data_parallel

EPOCHS, DEATH = 2, (1, 2)  # Epoch and batch.


class Die(keras.callbacks.Callback):
    """SIGKILL in the middle of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == DEATH:
            os.kill(os.getpid(), signal.SIGKILL)


# Other backends start sooner without TensorFlow.
is_torch = keras.backend.backend() == "torch"
is_tensorflow = keras.backend.backend() == "tensorflow"
read = pipeline if is_tensorflow else ImageDataset


def network():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            # On TensorFlow each host has its own averages otherwise.
            keras.layers.BatchNormalization(synchronized=is_tensorflow),
            # Without a seed PyTorch draws from a state of each process.
            keras.layers.Dropout(0.2, seed=0),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, GCE(), metrics=["accuracy"])
    return model


def images():
    rng = np.random.default_rng(0)
    # The second process of PyTorch has a batch less to evaluate.
    count = 71 if is_torch else 70
    x = rng.integers(256, size=(count, 4, 4, 1)).astype("uint8")
    return x, rng.integers(5, size=count)


def run(parallel, directory, who_dies):
    keras.utils.set_random_seed(0)
    model = network()
    resume = Resume(directory, save_freq=2)
    callbacks = [resume]
    if parallel.shard[0] == who_dies:
        callbacks.append(Die())
    train = read(
        images(),
        parallel.batch_size(16),
        training=True,
        shard=parallel.shard,
        start=resume.start,
    )
    test = read(images(), parallel.batch_size(14), shard=parallel.shard)
    parallel.fit(
        model,
        train,
        epochs=EPOCHS,
        initial_epoch=resume.initial_epoch,
        shuffle=False,
        callbacks=callbacks,
        validation_data=test,
    )
    return model, {
        "start": resume.start,
        "history": resume.history,
        "scores": parallel.evaluate(model, test, verbose=0),
        "weights": [w.tolist() for w in model.get_weights()],
    }


def connect_to_jax():
    """As Keras does it, but with less than 100 seconds for a lost process."""
    import jax

    given = {
        name: os.environ[f"KERAS_DISTRIBUTION_{name}"]
        for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    }
    jax.distributed.initialize(
        given["JOB_ADDRESSES"],
        int(given["NUM_PROCESSES"]),
        int(given["PROCESS_ID"]),
        heartbeat_timeout_seconds=20,
    )


def waits_for_all(model):
    """That of Keras 3.16, which sums over processes at every call."""
    raise AssertionError("Not all processes have as many batches.")


def main(*directories, who_dies):
    if keras.backend.backend() == "jax":
        connect_to_jax()
    if is_torch:
        keras.Model.get_metrics_result = waits_for_all
    with data_parallel() as parallel:
        runs = [run(parallel, each, who_dies) for each in directories]
    for directory, (model, result) in zip(directories, runs, strict=True):
        if parallel.is_chief:  # Otherwise others would join.
            model.save(f"{directory}.keras")
        if is_torch:  # The others compute together.
            x, y = images()
            outputs = model(x / np.float32(255), training=False)
            result["loss of all"] = float(GCE()(y, outputs))
    print("\n" + json.dumps([result for _, result in runs]))


if __name__ == "__main__":
    main(*sys.argv[2:], who_dies=int(sys.argv[1]))
