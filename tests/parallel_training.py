"""Train in several processes, of which one may die; print what came out."""

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


def main(directory, who_dies):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    # The second process of PyTorch has a batch less to evaluate.
    count = 71 if is_torch else 70
    x = rng.integers(256, size=(count, 4, 4, 1)).astype("uint8")
    y = rng.integers(5, size=count)
    with data_parallel() as parallel:
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
        resume = Resume(directory, save_freq=2)
        callbacks = [resume]
        if parallel.shard[0] == who_dies:
            callbacks.append(Die())
        train = read(
            (x, y),
            parallel.batch_size(16),
            training=True,
            shard=parallel.shard,
            start=resume.start,
        )
        test = read((x, y), parallel.batch_size(14), shard=parallel.shard)
        model.fit(
            train,
            epochs=EPOCHS,
            initial_epoch=resume.initial_epoch,
            shuffle=False,
            callbacks=callbacks,
            validation_data=test,
        )
        scores = model.evaluate(test, verbose=0)
    if parallel.is_chief:  # Inside of the context others would take part.
        model.save(f"{directory}.keras")
    result = {
        "start": resume.start,
        "history": resume.history,
        "scores": scores,
        "weights": [w.tolist() for w in model.get_weights()],
    }
    if is_torch:  # The others compute together.
        outputs = model(x / np.float32(255), training=False)
        result["loss of all"] = float(GCE()(y, outputs))
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
