"""Values and gradients of seeded inputs, for test_parity.py.

As a script it prints them as JSON.
"""

import json
import sys

import numpy as np
from helpers import CATALOGUE, KINDS, OF_LOGITS, build
from keras import ops

from keras_noisy.calibration._gradient import gradient

TRANSFORMS = {
    "plain": {"from_logits": True},
    "bias": {"from_logits": True, "logit_bias": 3.0},
    "negative bias": {"from_logits": True, "logit_bias": -3.0},
    "clip": {"from_logits": True, "logit_clip": 1.0},
    "probabilities": {},
    "normalized": {"from_logits": True, "logit_normalization": 0.2},
    "adjusted": {"logit_adjustment": np.geomspace(500, 5, 50)},
}


def computed(whole=False):
    rng = np.random.default_rng(0)
    logits = (2 * rng.normal(size=(8, 50))).astype("float32")
    exponentials = np.exp(logits.astype("float64"))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    p = p.astype("float32")
    labels = rng.integers(50, size=8)
    soft = rng.dirichlet(np.ones(50), size=8).astype("float32")
    results = {}
    for name in CATALOGUE:
        for transform, arguments in TRANSFORMS.items():
            if name in OF_LOGITS and "from_logits" not in arguments:
                continue
            inputs = logits if "from_logits" in arguments else p
            # Losses of a kind share the code of the transforms, so that
            # every loss with each of them is for the slow tests.
            untransformed = transform in ("plain", "probabilities")
            if not (whole or untransformed or name in KINDS):
                continue
            for kind, y in {"labels": labels, "soft": soft}.items():
                loss = build(name, 50, **arguments)
                value = ops.convert_to_numpy(loss.call(y, inputs))
                slope = gradient(
                    lambda x, y=y, loss=loss: loss.call(y, x), inputs
                )
                results[f"{name}, {transform}, {kind}"] = [
                    np.asarray(value).tolist(),
                    slope.tolist(),
                ]
    return results


if __name__ == "__main__":
    print(json.dumps(computed(whole="whole" in sys.argv)))
