"""Train on one device or several; print losses and weights as JSON."""

import contextlib
import json
import os
import sys

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from helpers import CATALOGUE, build  # noqa: E402


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


def train(loss, soft):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = rng.integers(12, size=64)
    # As many in each shard, whose mean is over its own samples.
    y[::4] = -1 if loss.ignore_class == -1 else y[::4]
    if soft:
        y = np.eye(12, dtype="float32")[y]
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(12, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.5, momentum=0.9), loss)
    history = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
    weights = [w.tolist() for w in map(np.asarray, model.get_weights())]
    return [history.history["loss"], weights]


def main():
    results = {}
    with devices():
        for name in CATALOGUE:
            for soft in (False, True):
                ignored = None if soft else -1
                loss = build(name, logit_bias="auto", ignore_class=ignored)
                results[f"{name}, soft={soft}"] = train(loss, soft)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
