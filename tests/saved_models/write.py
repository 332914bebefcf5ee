"""Write a small saved model of every loss, which later versions must load.

    KERAS_BACKEND=jax python tests/saved_models/write.py

writes those that are not there yet; none is written anew.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
sys.path.insert(0, str(HERE.parent))

from helpers import CATALOGUE, build, number  # noqa: E402

from keras_noisy import losses  # noqa: E402
from keras_noisy.calibration import MarginFade  # noqa: E402
from keras_noisy.losses.presets import PRESETS  # noqa: E402

CLASSES, FEATURES, ROWS = 12, 3, 6
LOGITS = {"from_logits": True}
decay = keras.optimizers.schedules.CosineDecay

OTHERS = {
    "MAEStar auto": losses.MAEStar(**LOGITS),
    "MAEStar of 12": losses.MAEStar(num_classes=CLASSES, **LOGITS),
    "MAEStar of probabilities": losses.MAEStar(num_classes=CLASSES),
    "ScaledMAE auto": losses.ScaledMAE(**LOGITS),
    "GCE auto": losses.GCE(q="auto", num_classes=CLASSES, **LOGITS),
    "GCE fades by steps": losses.GCE("auto", fade=decay(1.0, 9), **LOGITS),
    "MAEStar fades by margins": losses.MAEStar(
        fade=MarginFade(quantile=0.6), **LOGITS
    ),
    "SCE auto": losses.SCE(alpha="auto", num_classes=CLASSES, **LOGITS),
    "AEL with all arguments": losses.AEL(
        a=2.0,
        logit_bias=1.5,
        logit_clip=2.0,
        ignore_class=-1,
        reduction="sum",
        name="with_all",
        dtype="float32",
        **LOGITS,
    ),
    "NMAE normalized": losses.NMAE(logit_normalization=0.5, **LOGITS),
    "ELR": losses.ELR(ROWS, beta=0.6, **LOGITS),
    "SOP": losses.SOP(ROWS, lr_u=2.0, **LOGITS),
    "ELR with a fading bias": losses.ELR(
        ROWS, logit_bias=2.0, fade="margin", **LOGITS
    ),
    "given labels": losses.GivenLabelLoss(losses.MAE(**LOGITS)),
    **{
        name: losses.get(name, num_classes=CLASSES, **LOGITS)
        for name in PRESETS
    },
}


def batch():
    """Inputs and labels on which the values were computed."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, rng.integers(CLASSES, size=ROWS)


def described(loss):
    """The configuration of a loss as JSON, without keys drawn at random."""
    return json.loads(json.dumps(loss.get_config(), default=str))


def main():
    x, labels = batch()
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    found = {name: build(name, CLASSES, **LOGITS) for name in CATALOGUE}
    for name, loss in {**found, **OTHERS}.items():
        path = HERE / f"{name.replace('+', ' and ')}.keras"
        if path.exists():
            continue
        inputs = keras.Input((FEATURES,))
        outputs = keras.layers.Dense(CLASSES)(inputs)
        if "views" in loss.get_config() and loss.views > 1:
            continue
        if "probabilities" in name:
            outputs = keras.layers.Softmax()(outputs)
        if hasattr(loss, "connect"):
            outputs = loss.connect(outputs)
        model = keras.Model(inputs, outputs)
        rng = np.random.default_rng(1)
        kernel = rng.normal(size=(FEATURES, CLASSES))
        model.layers[1].set_weights([kernel, np.zeros(CLASSES)])
        model.compile("sgd", loss)
        value = number(loss(labels, model(x, training=False)))
        model.save(path)
        known[path.stem] = {"loss": value, "config": described(loss)}
    rows = (
        f"{json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}"
        for name in sorted(known)
    )
    EXPECTED.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
