"""Train losses with memory on one device or several; print all as JSON."""

import distributed_training
import keras
import numpy as np

from keras_noisy.losses import ELR, SOP, with_index


def train(parallel, loss_class):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    labels = rng.integers(12, size=64)
    loss = loss_class(num_samples=64, from_logits=True)
    inputs = keras.Input((8,))
    outputs = loss.connect(keras.layers.Dense(12)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.5), loss)
    history = distributed_training.fit(parallel, model, x, [with_index(labels)])
    return [history["loss"], [w.tolist() for w in model.get_weights()]]


if __name__ == "__main__":
    distributed_training.run(
        lambda parallel: {
            kind.__name__: train(parallel, kind) for kind in (ELR, SOP)
        }
    )
