"""Train fading losses on one device or several; print all as JSON."""

import distributed_training
import keras
import numpy as np

from keras_noisy import losses
from keras_noisy.calibration import MarginFade

FADES = {
    "steps": keras.optimizers.schedules.CosineDecay(1.0, 6),
    "classes": MarginFade(rate=0.8),
    "all": MarginFade(per_class=False),
}


def train(parallel, fade):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = rng.integers(12, size=64)
    shared = {"num_classes": 12, "from_logits": True, "fade": fade}
    # An automatic value of 12 classes would hardly differ from that of 10.
    found = [losses.NCE(logit_bias=3.0, **shared), losses.GCE("auto", **shared)]
    inputs = keras.Input((8,))
    outputs = [loss.connect(keras.layers.Dense(12)(inputs)) for loss in found]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.5), found)
    history = distributed_training.fit(parallel, model, x, [y, y])
    return [history["loss"], [w.tolist() for w in model.get_weights()]]


if __name__ == "__main__":
    distributed_training.run(
        lambda parallel: {
            name: train(parallel, fade) for name, fade in FADES.items()
        }
    )
