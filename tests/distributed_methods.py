"""Train with the methods beyond losses on one or more devices; print JSON."""

import json
import os
import sys

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} "
    f"--xla_force_host_platform_device_count={DEVICES}"
)

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_noisy import GCE  # noqa: E402
from keras_noisy.datasets import trusted_and_noisy  # noqa: E402
from keras_noisy.distribution import data_parallel  # noqa: E402
from keras_noisy.models import PIAGNN, SRGNN  # noqa: E402
from keras_noisy.optimizers import EntropySGD  # noqa: E402
from keras_noisy.training import (  # noqa: E402
    LDCE,
    SAM,
    HSICBottleneck,
    ReplicatedSGD,
)

SGD = keras.optimizers.SGD


def network():
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3, activation="softmax")]
    )


def blocks():
    relu = {"activation": "relu"}
    return HSICBottleneck(
        [keras.layers.Dense(8, **relu), keras.layers.Dense(8, **relu)],
        keras.layers.Dense(3, activation="softmax"),
        sigma=1.0,
    )


METHODS = {
    "HSICBottleneck": (blocks, lambda: SGD(1e-3)),
    "EntropySGD": (network, lambda: EntropySGD(0.5, inner_steps=4, seed=0)),
    "SAM": (lambda: SAM(network(), rho=0.2), lambda: SGD(0.1)),
    "ReplicatedSGD": (
        lambda: ReplicatedSGD(network, 2, coupling=0.1),
        lambda: SGD(0.1),
    ),
    "SRGNN": (lambda: SRGNN(3, 4), lambda: SGD(0.1)),
    "PIAGNN": (lambda: PIAGNN(3, 4, slice_size=2), lambda: SGD(0.1)),
}
#: Models whose outputs are logits and whose inputs are clicks.
OF_SESSIONS = ("SRGNN", "PIAGNN")


def trained_ldce(parallel, x, y):
    """Only on JAX every device has the shots of a whole step."""
    keras.utils.set_random_seed(1)
    model = LDCE(network(), 3, 48, shots=4, n_way=2)
    model.compile(SGD(0.1), GCE(from_logits=True))
    data = trusted_and_noisy((x, y), np.arange(24), 12, 4, queries=8)
    history = parallel.fit(model, data, epochs=3, shuffle=False, verbose=0)
    return history.history["loss"], [w.tolist() for w in model.get_weights()]


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
    # Each half of a batch is the other, so that devices which compare their own
    # samples find the same as one that compares them all.
    halves = np.arange(48).reshape(4, 12)
    halves[:, 6:] = halves[:, :6]
    halves = halves.reshape(-1)
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
            rows = halves if name == "HSICBottleneck" else slice(None)
            history = parallel.fit(
                *(model, given[rows], y[rows], 12),
                epochs=2,
                shuffle=False,
                verbose=0,
            ).history
            found[name] = [
                history["loss"],
                [w.tolist() for w in model.get_weights()],
            ]
        if keras.backend.backend() == "jax":
            found["LDCE"] = trained_ldce(parallel, x, y)
        elif DEVICES > 1:
            try:
                trained_ldce(parallel, x, y)
            except ValueError as error:
                assert "TensorFlow devices" in str(error)
            else:
                raise AssertionError("LDCE trained on parts of the shots")
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
