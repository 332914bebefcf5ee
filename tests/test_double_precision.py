"""`dtype="float64"` computes in 64 bits if the backend has them."""

import numpy as np
from helpers import OF_LOGITS, build, catalogue_shared, compiled, expected
from keras import ops
from precision import precision

from keras_noisy import GCE
from keras_noisy.losses import Binary

Z = 2 * np.random.default_rng(0).normal(size=(6, 4))
P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
LABELS = np.array([0, 1, 2, 3, 1, 1])


@catalogue_shared
def test_losses_are_computed_in_64_bits(name):
    wanted = expected(name, np.eye(4)[LABELS], Z)
    with precision("float64"):
        for from_logits, x in ((True, Z), (False, P)):
            if not from_logits and name in OF_LOGITS:
                continue
            loss = build(name, 4, dtype="float64", from_logits=from_logits)
            for labels in (LABELS, np.eye(4)[LABELS]):
                found = compiled(lambda x, y=labels, f=loss.call: f(y, x))(
                    ops.convert_to_tensor(x, "float64")
                )
                np.testing.assert_allclose(
                    ops.convert_to_numpy(found), wanted, rtol=1e-9, atol=1e-12
                )


def test_several_labels_are_computed_in_64_bits():
    labels, p = np.eye(3)[[0, 2]], P[:2, :3]
    share = np.where(labels == 1, p, 1 - p)
    wanted = ((1 - share**0.7) / 0.7).mean(axis=1)
    with precision("float64"):
        loss = Binary(GCE(0.7, dtype="float64"), dtype="float64")
        found = loss.call(labels, ops.convert_to_tensor(p, "float64"))
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), wanted, rtol=1e-9
        )
