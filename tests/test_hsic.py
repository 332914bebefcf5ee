"""Dependence of batches: golden values, gradients, units, bad input."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import array, compiled, gradient
from keras import ops

from keras_noisy.hsic import (
    assign_units,
    gaussian_kernel,
    hsic,
    normalized_hsic,
    unit_accuracy,
)

GOLDEN = json.loads((Path(__file__).parent / "golden_hsic.json").read_text())
BACKEND = keras.backend.backend()
#: JAX has float64 only in another mode.
DTYPES = ["float32"] if BACKEND == "jax" else ["float32", "float64"]


def batch(dtype):
    return (np.array(GOLDEN[name], dtype) for name in "XZY")


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_and_gradient_of_the_program(dtype):
    x, z, y = batch(dtype)
    limit = 1e-6 if dtype == "float64" else 1e-4
    # The ratio of kernels is nearly singular, and JAX has no float64.
    of_ratio = 2e-3 if BACKEND == "jax" else limit
    for sigma in (5, 1):
        golden = GOLDEN[f"sigma_{sigma}"]

        @compiled
        def values(x, z, y, sigma=sigma):
            kernels = [gaussian_kernel(a, sigma) for a in (x, z, y)]
            ratios = [normalized_hsic(z, a, sigma) for a in (x, y)]
            plain = [hsic(z, x, sigma), hsic(z, x, sigma, cosine=True)]
            return kernels, ratios, plain

        kernels, ratios, plain = values(x, z, y)
        for value in (*kernels, *ratios, *plain):
            assert keras.backend.standardize_dtype(value.dtype) == dtype
        for kernel, name in zip(kernels, "XZY", strict=True):
            kernel = array(kernel)
            np.testing.assert_allclose(
                kernel - kernel.mean(1, keepdims=True),
                golden[f"Kc_{name}"],
                atol=limit / 10,
            )
        for value, name in zip(ratios, ("ZX", "ZY"), strict=True):
            wanted = golden[f"nhsic_{name}"]
            np.testing.assert_allclose(array(value), wanted, of_ratio)
        for value, name in zip(plain, ("plain", "cos"), strict=True):
            wanted = golden[f"hsic_{name}_ZX"]
            np.testing.assert_allclose(array(value), wanted, limit)

        def loss(z, sigma=sigma):
            first = normalized_hsic(z, x, sigma)
            return first - 50 * normalized_hsic(z, y, sigma)

        wanted = np.array(golden["grad_Z"])
        found = gradient(loss, z)
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        # Differences in extended precision show that the program's gradient
        # is right to 2e-6.
        assert error < max(of_ratio, 5e-6), (sigma, error)
    value = array(compiled(lambda z, x: normalized_hsic(z, x, None))(z, x))
    wanted = GOLDEN["sigma_none"]["nhsic_ZX"]
    np.testing.assert_allclose(value, wanted, max(of_ratio, 1e-6))


def median_of_the_stack(x):
    stack = np.concatenate([x, x])
    squares = ((stack[:, None] - stack[None]) ** 2).sum(-1)
    lower = squares[np.tril_indices(len(stack), -1)]
    return max(np.median(lower), 0.01)


@pytest.mark.once
def test_the_bandwidth_of_a_batch():
    x = np.array(GOLDEN["X"])
    for rows in (x, x[:5], x[:2], x[:1], 0 * x):
        squares = ((rows[:, None] - rows[None]) ** 2).sum(-1)
        wanted = np.exp(-squares / 2 / median_of_the_stack(rows) ** 2)
        np.testing.assert_allclose(
            array(gaussian_kernel(rows, None)), wanted, 1e-5, 1e-6
        )


def test_extreme_batches():
    """Values stay finite and gradients too; NaN stays NaN everywhere."""
    x, z, _ = batch("float32")
    both = compiled(lambda a, b: ops.stack([hsic(a, b), normalized_hsic(a, b)]))
    near = array(both(z, x))
    far = array(both(z + np.float32(1000), x))
    np.testing.assert_allclose(far, near, 2e-3)
    np.testing.assert_allclose(array(both(0 * z, x)), 0, atol=1e-5)
    found = gradient(lambda z: hsic(z, x, cosine=True), 0 * z)
    np.testing.assert_array_equal(found, 0)
    z[0, 0] = np.nan
    assert np.isnan(array(both(z, x))).all()


@pytest.mark.once
def test_batches_of_other_sizes_and_shapes():
    x, z, _ = batch("float32")
    twice = normalized_hsic(np.tile(z, (2, 1)), np.tile(x, (2, 1)))
    np.testing.assert_allclose(array(twice), array(normalized_hsic(z, x)), 1e-4)
    assert float(normalized_hsic(z[:1], x[:1])) == pytest.approx(0, abs=1e-6)
    assert 0 < float(normalized_hsic(np.arange(6), x.reshape(6, 2, 2))) < 6


class Independent(keras.layers.Layer):
    """Penalizes dependence of its outputs on the first input."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(2,), initializer="ones")

    def call(self, inputs):
        outputs = inputs * self.scale
        self.add_loss(hsic(outputs, inputs[:, :1], sigma=1.0, cosine=True))
        return outputs


@pytest.mark.once
def test_a_penalty_of_a_layer():
    layer = Independent()
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse", loss_weights=[0.0])
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    losses = model.fit(x, x, 32, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    shrunk, kept = np.abs(array(layer.scale))
    assert shrunk < 1 and shrunk < kept


@pytest.mark.once
def test_units_of_classes():
    # Class 0 takes unit 2; class 1 would like it too, and takes 0.
    outputs = np.array([[0, 0, 5], [1, 0, 3], [2, 1, 4], [0, 2, 1.0]])
    labels = [0, 0, 1, 2]
    units = assign_units(ops.convert_to_tensor(keras.Variable(outputs)), labels)
    assert units.tolist() == [2, 0, 1]
    assert unit_accuracy(outputs, labels, units) == pytest.approx(2 / 3)
    assert unit_accuracy(outputs[:2], [[0], [1]], units) == 0.5
    for arguments, message in (
        ((outputs, [0, 1, 2]), "N labels"),
        ((outputs, [0, 1, 2, 3]), "one unit for each of the 4 classes"),
        ((outputs, [0, 0, 2, 2]), "none of class 1"),
        ((outputs, [0, 0, -1, 2]), "`labels`"),
        ((outputs * np.nan, labels), "finite `outputs`"),
    ):
        with pytest.raises(ValueError, match=message):
            assign_units(*arguments)
    for units in ([0, 0], [0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="`units`"):
            unit_accuracy(outputs, [0, 0, 1, 1], units)


@pytest.mark.once
def test_bad_batches():
    x = np.ones((4, 2))
    for function, arguments, message in (
        (gaussian_kernel, (1.0,), "`x`. Expected a batch"),
        (gaussian_kernel, (x, 0), "`sigma`. Expected a number in"),
        (hsic, (x, x[:3]), "4 in `a` and 3 in `b`"),
        (hsic, (x, x, -1.0), "`sigma`"),
        (hsic, (x, x, 1.0, 1), "`cosine`"),
        (normalized_hsic, (x, 1.0), "`b`. Expected a batch"),
    ):
        with pytest.raises(ValueError, match=message):
            function(*arguments)
