"""Gradients in closed form equal those of automatic differentiation."""

from functools import partial

import keras
import numpy as np
import pytest
from helpers import compiled, gradient, transition, uneven_prior, values
from keras import ops

from keras_noisy import losses
from keras_noisy.losses import forward_correction, ldr_kl
from keras_noisy.losses.base import (
    _class_sums,
    _closed_form,
    _math,
    _of_label,
    distribution,
)

NAMES = (
    *("NCE", "NFL", "NGCE", "NNCE", "NNFL", "AMSE", "CORES", "PeerLoss"),
    *("ForwardCorrection", "BackwardCorrection"),
    *("SoftBootstrapping", "EpsilonSoftmaxCE", "HardBootstrapping", "LDRKL"),
    "ANL-FL",
)
#: JAX differentiates these itself.
OF_LABEL = ("MAE", "GCE", "ScaledMAE")
#: The terms of a pair are those of its parts.
PAIRS = [n for n in losses.names() if ("+" in n or "-" in n) and n != "ANL-FL"]
IS_JAX = keras.backend.backend() == "jax"
OTHER_TEMPERATURES = (0.5, 4.0), (0.5, 0.8), (0.7, 0.7), (1.0, 1.0)
#: Logits of a fresh network, of a trained one, and with a class ruled out.
SCALES = (1.0, 30.0)


def batch(num_classes):
    generator = np.random.default_rng(0)
    z = [
        scale * generator.standard_normal((3, num_classes)) for scale in SCALES
    ]
    z = np.concatenate(z).astype("float32")
    z[1, 0] = -np.inf
    labels = np.array([0, 1, num_classes - 1, 0, 1, -1])
    return labels, z


def variants(name):
    """The loss with transforms of its logits and changes of its slope."""
    is_corrected = name.endswith("Correction")
    if name == "ScaledMAE":
        yield {"margin_scale": 0.3}, {}
        return
    yield {"logit_bias": 3.0}, transition if is_corrected else {}
    if name in ("NFL", "NNFL"):
        yield {"stop_weight_gradient": False}, {}
    if name == "PeerLoss":
        yield {}, uneven_prior


def above(index, logits, others):
    """Logits of labels relative to the sum of all, or of all others."""
    if others:
        return _of_label._masked(index, logits)
    at_label = ops.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
    return at_label - ops.logsumexp(logits, axis=-1)


def both(monkeypatch, function):
    """Results by the closed form and by automatic differentiation."""
    closed = function()
    with monkeypatch.context() as patch:
        patch.setattr(distribution, "has_closed_form", lambda *given: False)
        for module in (forward_correction, ldr_kl):
            patch.setattr(module, "is_short", lambda *given: True)
        patch.setattr(_of_label, "_above", above)
        return closed, function()


@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    """Also where automatic differentiation is faster."""
    monkeypatch.setattr(_closed_form, "SHORT", 0)
    monkeypatch.setattr(_math, "FEW", 0)
    monkeypatch.setattr(_of_label, "FUSED", {"tensorflow": 0, "torch": 0})


@pytest.mark.parametrize(
    "name",
    [
        *NAMES,
        *(() if IS_JAX else OF_LABEL),
        *(pytest.param(name, marks=pytest.mark.once) for name in PAIRS),
    ],
)
@pytest.mark.parametrize(
    "rows",
    [
        [(7, "float32")],
        pytest.param(
            [(2, "float16"), (40, "bfloat16"), (1000, "float32")],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["one", "more"],
)
def test_values_and_gradients(name, rows, monkeypatch):
    for num_classes, dtype in rows:
        labels, z = batch(num_classes)
        for arguments, of_class_count in variants(name):
            more = of_class_count and of_class_count(num_classes)
            loss = losses.get(
                name,
                num_classes=num_classes,
                from_logits=True,
                **{"ignore_class": -1, **arguments, **(more or {})},
            )

            def found(loss=loss, labels=labels, z=z, dtype=dtype):
                def function(x):
                    return loss.call(labels, ops.cast(x, dtype))

                return values(loss, labels, z), gradient(function, z)

            (value, slope), (plain, truth) = both(monkeypatch, found)
            np.testing.assert_allclose(value, plain, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(slope, truth, rtol=1e-2, atol=2e-6)
            assert np.any(truth != 0)


@pytest.mark.skipif(not IS_JAX, reason="others have one way for all sizes")
@pytest.mark.parametrize("name", ["NNFL", "NCE+AGCE", "CORES"])
def test_large_matrices(name, monkeypatch):
    labels, z = batch(7)
    loss = losses.get(name, num_classes=7, from_logits=True, ignore_class=-1)

    def found():
        function = partial(loss.call, labels)
        return values(loss, labels, z), gradient(function, z)

    value, slope = found()
    monkeypatch.setattr(_class_sums, "CACHED", 0)
    other_value, other_slope = found()
    np.testing.assert_allclose(other_value, value, rtol=1e-5)
    np.testing.assert_allclose(other_slope, slope, rtol=1e-4, atol=1e-7)
    assert np.any(other_slope != slope)  # rounded in another way


def hessian(loss, labels, z):
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(jax.hessian(lambda x: loss(labels, x)))(z)
    if backend == "torch":
        import torch

        return torch.autograd.functional.hessian(
            lambda x: loss(labels, x), torch.tensor(z)
        )
    import tensorflow as tf

    z = tf.constant(z)
    with tf.GradientTape() as outer:
        outer.watch(z)
        with tf.GradientTape() as inner:
            inner.watch(z)
            value = loss(labels, z)
        slope = inner.gradient(value, z)
    return outer.jacobian(slope, z)


@pytest.mark.parametrize(
    "name",
    [
        *("SoftBootstrapping", "LDRKL"),
        *(
            pytest.param(x, marks=pytest.mark.once)
            for x in ("AMSE", "ECE+MAE", "NCE", "ANL-FL", "GCE", "ScaledMAE")
        ),
    ],
)
def test_second_derivatives(name, monkeypatch):
    rows = [0.5, -1.0, 2.0], [1.0, 0.0, -3.0], [200.0, 0.0, 1.0]
    z = np.array(rows, "float32")
    more = {"margin_scale": 0.3} if name == "ScaledMAE" else {}
    loss = losses.get(name, num_classes=3, from_logits=True, **more)
    closed, plain = both(
        monkeypatch,
        lambda: ops.convert_to_numpy(hessian(loss, np.array([0, 2, 0]), z)),
    )
    assert np.abs(plain).max() > 1e-3
    np.testing.assert_allclose(closed, plain, rtol=1e-4, atol=1e-6)


def bi_tempered(*temperatures):
    return losses.BiTempered(*temperatures, from_logits=True)


@pytest.mark.parametrize(
    "loss",
    [
        bi_tempered(0.8, 1.2),
        losses.CrossEntropy(from_logits=True, logit_clip=1.5),
        *(
            pytest.param(loss, marks=pytest.mark.once)
            for loss in (
                *(bi_tempered(*x) for x in OTHER_TEMPERATURES),
                losses.CrossEntropy(from_logits=True, logit_normalization=0.5),
            )
        ),
    ],
    ids=lambda loss: f"{loss.name}-{loss.get_config().get('t2', '')}",
)
def test_against_differences(loss):
    """Gradient by those of the value, second derivative by its own.

    The rows of all differences make one batch.
    """
    z, steps = np.array([[0.5, -1.0, 2.0]], "float32"), 0.04 * np.eye(3)
    rows = np.concatenate([z + steps, z - steps]).astype("float32")
    soft = np.array([[0.7, 0.1, 0.2]], "float32")
    for labels in (np.array([2]), soft):
        given = np.repeat(labels, 6, axis=0)
        slopes = gradient(lambda x, y=given: loss.call(y, x), rows)
        here = gradient(lambda x, y=labels: loss.call(y, x), z)[0]
        second = ops.convert_to_numpy(hessian(loss, labels, z))[0, :, 0]
        for found, each in (
            (here, values(loss, given, rows)),
            (second, slopes),
        ):
            truth = (each[:3] - each[3:]) / 0.08
            size = np.abs(truth).max()
            assert size > 1e-4
            np.testing.assert_allclose(found, truth, atol=0.01 * size)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="has no such transforms"
)
def test_function_transforms(monkeypatch):
    z = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -3.0]], "float32")
    labels = np.array([0, 2])
    if IS_JAX:
        import jax as of

        given = z, labels
    else:
        import torch

        of, given = torch.func, (torch.tensor(z), torch.tensor(labels))

    def found(loss):
        def one(x, label):
            return loss.call(label[None], x[None])[0]

        slopes = compiled(of.vmap(of.grad(one)))(*given)
        along = compiled(
            lambda x: of.jvp(lambda z: loss.call(given[1], z), (x,), (x,))
        )(given[0])
        return [ops.convert_to_numpy(x) for x in (slopes, along[1])]

    shared = {"num_classes": 3, "from_logits": True}
    of_label = (
        losses.GCE(**shared),
        losses.GCE(margin_scale=0.3, **shared),
    )
    for loss in (
        losses.get("NCE+AGCE", **shared),
        *(() if IS_JAX else of_label),
    ):
        rows = both(monkeypatch, lambda loss=loss: found(loss))
        for closed, plain in zip(*rows, strict=True):
            np.testing.assert_allclose(closed, plain, rtol=1e-4, atol=1e-6)

    loss = losses.BiTempered(from_logits=True)
    slopes, along = found(loss)
    truth = gradient(lambda x: loss.call(labels, x), z)
    np.testing.assert_allclose(slopes, truth, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(along, np.sum(truth * z, -1), rtol=1e-4)


def test_a_formula_without_its_slope_is_differentiated():
    """A subclass that changes what is summed does not inherit the slope.

    Its own slope may use the sums.
    """

    class Squares(losses.NCE):
        @staticmethod
        def class_losses(log_p):
            return ops.square(log_p)

    loss = Squares(from_logits=True)
    z = np.array([[0.5, -1.0, 2.0]], "float32")
    slope = gradient(lambda x: loss.call([0], x), z)[0]

    class WithSlope(Squares):
        @staticmethod
        def slope(log_p, summed):
            return 2 * summed / log_p

    loss = WithSlope(from_logits=True)
    closed = gradient(lambda x: loss.call([0], x), z)[0]
    np.testing.assert_allclose(closed, slope, rtol=1e-5, atol=1e-6)
    step = 1e-2 * np.eye(3, dtype="float32")
    up, down = (values(loss, [0, 0, 0], z + s) for s in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / 2e-2, atol=1e-3)
