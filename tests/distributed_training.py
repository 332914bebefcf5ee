"""Train on one device or several; print losses and weights as JSON."""

import json
import os
import sys

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from helpers import CATALOGUE, heads  # noqa: E402

from keras_noisy.distribution import (  # noqa: E402
    data_parallel,
    process_count,
    process_index,
)


def train(parallel, soft):
    # TensorFlow and PyTorch take the weights of the first process.
    is_jax = keras.backend.backend() == "jax"
    keras.utils.set_random_seed(0 if is_jax else process_index())
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = rng.integers(12, size=64)
    # As many in each shard, whose mean is over its own samples.
    ignored = None if soft else -1
    for first in (0, 1):
        y[first::8] = y[first::8] if soft else ignored
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
    history = fit(parallel, model, x, (y,) * len(losses))
    del history["loss"]  # The sum.
    weights = [w.tolist() for w in model.get_weights()]
    return {
        f"{name}, soft={soft}": [losses_of, weights[2 * i : 2 * i + 2]]
        for i, (name, losses_of) in enumerate(
            zip(CATALOGUE, history.values(), strict=True)
        )
    }


def fit(parallel, model, x, y):
    """Train on the part of this process; the history."""
    index, count = parallel.shard or (0, 1)
    x, *y = (array[index::count] for array in (x, *y))
    batch_size = parallel.batch_size(16)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((x, tuple(y)))
        data = [data.batch(batch_size)]
    else:
        data = [x, y, batch_size]
    fitted = parallel.fit(model, *data, epochs=2, shuffle=False, verbose=0)
    return fitted.history


def refuse():
    for batch_size in (17, 16):
        try:
            with data_parallel() as parallel:
                size = parallel.batch_size(batch_size)
                model = keras.Sequential([keras.layers.Dense(1)])
                model.compile("sgd", "mse")
                model.fit(np.ones((18, 1)), np.ones((18, 1)), size, verbose=0)
        except ValueError as error:
            print(error)


def run(train):
    """Print what `train` returns with the devices of this process."""
    if keras.backend.backend() == "tensorflow" and process_count() == 1:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES
        )
    if sys.argv[2:]:
        refuse()
        return
    with data_parallel() as parallel:
        assert parallel.num_devices == DEVICES * process_count()
        results = train(parallel)
    print(json.dumps(results))


if __name__ == "__main__":
    run(lambda parallel: {**train(parallel, False), **train(parallel, True)})
