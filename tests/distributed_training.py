"""Train on devices, 1 or 1,4 of them; print losses and weights as JSON.

All heads are in one model, whose step is compiled once.
"""

import json
import os
import sys

if __name__ == "__main__":
    COUNTS = [int(count) for count in sys.argv[1].split(",")]
    DEVICES = max(COUNTS)
    # JAX reads it when it is imported.
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} "
        f"--xla_force_host_platform_device_count={DEVICES}"
    )

import keras
import numpy as np
import parallel_mistakes
from helpers import CATALOGUE, build
from keras import ops

from keras_noisy import losses
from keras_noisy.calibration import MarginFade
from keras_noisy.callbacks import LabelQuality
from keras_noisy.callbacks.label_quality import Findings
from keras_noisy.datasets import ImageDataset
from keras_noisy.distribution import (
    data_parallel,
    process_count,
    process_index,
)

BACKEND = keras.backend.backend()
SHARED = {"num_classes": 12, "from_logits": True}
FADES = {
    "steps": keras.optimizers.schedules.CosineDecay(1.0, 6),
    "classes": MarginFade(rate=0.8),
    "all": MarginFade(per_class=False),
}


def heads(names):
    """The name, loss and labels of each head."""
    labels = np.random.default_rng(0).integers(12, size=64)
    ignored = labels.copy()
    # Each shard has as many, and its mean is over its own samples.
    ignored[::8] = ignored[1::8] = -1
    soft = np.eye(12, dtype="float32")[labels]
    are_all = len(names) == len(CATALOGUE)
    for name in names:
        shared = {"from_logits": True, "logit_bias": 2.0}
        yield name, build(name, 12, ignore_class=-1, **shared), ignored
        if are_all or name == names[0]:
            yield f"{name}, soft", build(name, 12, **shared), soft
    for name, fade in FADES.items():
        if are_all or name == "classes":
            loss = losses.NCE(logit_bias=3.0, fade=fade, **SHARED)
            yield f"NCE fades by {name}", loss, labels
        if are_all:
            loss = losses.GCE("auto", fade=fade, **SHARED)
            yield f"GCE fades by {name}", loss, labels
    if process_count() == 1:  # Memories work in one process only.
        kinds = (losses.ELR, {}), (losses.SOP, {}), (losses.SELC, {"start": 1})
        for kind, own in kinds if are_all else kinds[:2]:
            loss = kind(num_samples=64, from_logits=True, **own)
            yield kind.__name__, loss, losses.with_index(labels)


def train(parallel, names):
    # TensorFlow and PyTorch take the weights of the first process.
    keras.utils.set_random_seed(0 if BACKEND == "jax" else process_index())
    x = np.random.default_rng(1).normal(size=(64, 8)).astype("float32")
    names, found, y = zip(*heads(names), strict=True)
    inputs = keras.Input((8,))
    outputs = [loss.connect(keras.layers.Dense(12)(inputs)) for loss in found]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), list(found))
    history = fit(parallel, model, x, y)
    return {
        name: [
            history[f"{of_output}_loss"],
            [w.tolist() for w in keras.Model(inputs, output).get_weights()],
        ]
        for name, of_output, output in zip(
            names, model.output_names, outputs, strict=True
        )
    }


def fit(parallel, model, x, y):
    """Train on the data of this process; returns the history."""
    index, count = parallel.shard or (0, 1)
    x, *y = (array[index::count] for array in (x, *y))
    batch_size = parallel.batch_size(16)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((x, tuple(y)))
        data = [data.batch(batch_size)]
    else:
        data = [x, y, batch_size]
    fitted = parallel.fit(model, *data, epochs=2, shuffle=False, verbose=0)
    return fitted.history


def refused():
    """The message for batches that the devices do not divide."""
    errors = []
    for batch_size in (17, 16):
        try:
            with data_parallel() as parallel:
                size = parallel.batch_size(batch_size)
                model = keras.Sequential([keras.layers.Dense(1)])
                model.compile("sgd", "mse")
                model.fit(np.ones((18, 1)), np.ones((18, 1)), size, verbose=0)
        except ValueError as error:
            errors.append(str(error))
    return errors


def uneven():
    """JAX: what is refused before it starts, and scores of such a batch."""
    pixels = np.random.default_rng(1).integers(
        256, size=(64, 8, 1, 3), dtype="uint8"
    )
    images, y = pixels.astype("float32") / 255, np.arange(64) % 3
    some = y[:61]
    with data_parallel() as parallel:
        model = keras.Sequential(
            [
                keras.Input((8, 1, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("sgd", losses.CrossEntropy())
        errors = []
        for method, length, arguments in (
            (parallel.fit, 64, {"batch_size": 31}),
            (parallel.evaluate, 63, {}),
            (parallel.fit, 64, {"validation_data": (images[:33], y[:33])}),
            (parallel.fit, 64, {"validation_split": 0.1}),
        ):
            try:
                method(model, images[:length], y[:length], **arguments)
            except ValueError as error:
                errors.append(str(error))
        data = ImageDataset((pixels[:61], some), 7)
        try:
            parallel.evaluate(model, data)
        except ValueError as error:
            errors.append(str(error))
        found = [
            LabelQuality(x, some, batch_size=7) for x in (images[:61], data)
        ]
        parallel.fit(model, images, y, 16, callbacks=found, verbose=0)
        outputs = ops.convert_to_numpy(model(images[:61]))
    expected = Findings(some)
    expected.update(expected.compare(outputs))
    scores = [each.scores().tolist() for each in (*found, expected)]
    return {"errors": errors, "scores": scores}


def main():
    if BACKEND == "tensorflow" and process_count() == 1:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES
        )
    results = {"heads": {}}
    for count in COUNTS:
        with data_parallel(None if count == DEVICES else count) as parallel:
            assert parallel.num_devices == count * process_count()
            found = train(parallel, sys.argv[2:] or CATALOGUE)
            results["heads"][count] = found
            if BACKEND == "torch" and process_count() > 1:
                results["mistakes"] = parallel_mistakes.errors(parallel)
            if count > 1:
                results["refused"] = refused()
                if BACKEND == "jax":
                    results["uneven"] = uneven()
    print("\n" + json.dumps(results))


if __name__ == "__main__":
    main()
