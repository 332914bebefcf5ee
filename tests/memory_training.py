"""Train losses with memory on one device or several; print all as JSON."""

import json
import sys

import distributed_training
import keras
import numpy as np

from keras_noisy.losses import ELR, SOP, with_index


def train(loss_class):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    labels = rng.integers(12, size=64)
    loss = loss_class(num_samples=64, from_logits=True)
    inputs = keras.Input((8,))
    outputs = loss.memory(keras.layers.Dense(12)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.5), loss)
    history = model.fit(
        x,
        with_index(labels),
        batch_size=16,
        epochs=3,
        shuffle=False,
        verbose=0,
    )
    weights = [w.tolist() for w in model.get_weights()]
    return [history.history["loss"], weights]


def main():
    with distributed_training.devices():
        results = {kind.__name__: train(kind) for kind in (ELR, SOP)}
    print(json.dumps(results))


if __name__ == "__main__":
    sys.exit(main())
