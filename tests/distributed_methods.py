"""Train by the methods beyond losses on one device or several; print JSON."""

import json
import os
import sys

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_noisy import GCE  # noqa: E402
from keras_noisy.distribution import data_parallel  # noqa: E402
from keras_noisy.models import PIAGNN, SRGNN  # noqa: E402
from keras_noisy.optimizers import EntropySGD  # noqa: E402
from keras_noisy.training import SAM, ReplicatedSGD  # noqa: E402

SGD = keras.optimizers.SGD


def network():
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3, activation="softmax")]
    )


METHODS = {
    "EntropySGD": (network, lambda: EntropySGD(0.5, inner_steps=4, seed=0)),
    "SAM": (lambda: SAM(network(), rho=0.2), lambda: SGD(0.1)),
    "ReplicatedSGD": (
        lambda: ReplicatedSGD(network, 2, coupling=0.1),
        lambda: SGD(0.1),
    ),
    "SRGNN": (lambda: SRGNN(3, 4), lambda: SGD(0.1)),
    "PIAGNN": (lambda: PIAGNN(3, 4, slice_size=2), lambda: SGD(0.1)),
}
#: Their outputs are logits, and their inputs clicks.
OF_SESSIONS = ("SRGNN", "PIAGNN")


def main():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES
        )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 6)).astype("float32")
    y = rng.integers(3, size=48)
    clicks = rng.integers(1, 4, size=(48, 4)).astype("int32")
    clicks[::3, 2:] = 0
    found = {}
    with data_parallel() as parallel:
        assert parallel.num_devices == DEVICES
        for name, (build, optimizer) in METHODS.items():
            keras.utils.set_random_seed(1)
            model = build()
            of_sessions = name in OF_SESSIONS
            model.compile(optimizer(), GCE(from_logits=of_sessions))
            given = clicks if of_sessions else x
            history = parallel.fit(
                *(model, given, y, 12), epochs=2, shuffle=False, verbose=0
            ).history
            found[name] = [
                history["loss"],
                [w.tolist() for w in model.get_weights()],
            ]
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
