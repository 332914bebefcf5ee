"""Train on one device or several; print losses and weights as JSON."""

import contextlib
import json
import os
import sys

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from helpers import CATALOGUE, heads  # noqa: E402


def devices():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES
        )
        names = [f"CPU:{i}" for i in range(DEVICES)]
        if DEVICES == 1:
            return contextlib.nullcontext()
        return tf.distribute.MirroredStrategy(names).scope()
    if DEVICES > 1:
        distribution = keras.distribution.DataParallel()
        assert len(keras.distribution.list_devices()) == DEVICES
        keras.distribution.set_distribution(distribution)
    return contextlib.nullcontext()


def train(soft):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = rng.integers(12, size=64)
    # As many in each shard, whose mean is over its own samples.
    ignored = None if soft else -1
    y[::4] = y[::4] if soft else ignored
    if soft:
        y = np.eye(12, dtype="float32")[y]
    model, losses = heads(
        CATALOGUE,
        12,
        lambda inputs: keras.layers.Dense(12)(inputs),
        from_logits=True,
        logit_bias=2.0,
        ignore_class=ignored,
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), losses)
    history = model.fit(
        x,
        [y] * len(losses),
        batch_size=16,
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    del history["loss"]  # The sum.
    weights = [w.tolist() for w in model.get_weights()]
    return {
        f"{name}, soft={soft}": [losses_of, weights[2 * i : 2 * i + 2]]
        for i, (name, losses_of) in enumerate(
            zip(CATALOGUE, history.values(), strict=True)
        )
    }


def main():
    with devices():
        print(json.dumps({**train(soft=False), **train(soft=True)}))


if __name__ == "__main__":
    main()
