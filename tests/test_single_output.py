"""A single output tells two classes: the same as the outputs (0, z)."""

import keras
import numpy as np
import pytest
from helpers import (
    KINDS,
    OF_LOGITS,
    build,
    catalogue_shared,
    number,
    values,
)
from keras import ops

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, losses
from keras_noisy.calibration import calibrate
from keras_noisy.calibration._gradient import gradient

Z = np.array([0.0, 1.5, -3.0, 20.0, -20.0, 90.0, 1e4, -1e4], "float32")
HARD = np.array([1, 0, 1, 1, 1, 0, 1, 0])
SOFT = np.array([0.25, 0.5, 1, 0, 0.75, 0.125, 1, 0], "float32")
PAIR = np.stack([0 * Z, Z], axis=1)


def pair(z):
    return ops.concatenate([ops.zeros_like(z), z], axis=-1)


def same_as_two_outputs(loss, y, targets, z):
    """Values and gradients, by z itself."""
    for at in (z, z[::-1]):  # Each label at both ends.
        found = values(loss, y, at)
        wanted = values(loss, targets, pair(ops.convert_to_tensor(at)))
        assert found.shape == (len(z),)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    slopes = gradient(lambda x: loss.call(y, x), z).astype("float64")
    wanted = gradient(lambda x: loss.call(targets, pair(x)), z)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes, wanted, rtol=1e-6, atol=1e-6)


@catalogue_shared
def test_a_logit_is_the_model_of_two_outputs(name):
    loss = build(name, 2, from_logits=True)
    same_as_two_outputs(loss, HARD, HARD, Z[:, None])
    targets = np.stack([1 - SOFT, SOFT], axis=1)
    same_as_two_outputs(loss, SOFT, targets, Z[:, None])


@pytest.mark.parametrize(
    "transforms",
    [
        {"logit_bias": 1.5},
        {"logit_bias": -1.5},
        {"margin_scale": 0.5},
        {"logit_clip": 2.0},
        {"logit_normalization": 0.5, "logit_adjustment": [3, 1]},
    ],
    ids=str,
)
def test_what_acts_on_logits(transforms):
    for name in KINDS[: 1 if "margin_scale" in transforms else 2]:
        loss = build(name, 2, from_logits=True, **transforms)
        same_as_two_outputs(loss, HARD, HARD, Z[:, None])
        targets = np.stack([1 - SOFT, SOFT], axis=1)
        same_as_two_outputs(loss, SOFT, targets, Z[:, None])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    z = ops.cast(ops.convert_to_tensor(Z[:6, None]), dtype)
    for loss in (GCE(from_logits=True), losses.NCE(from_logits=True)):
        found = values(loss, HARD[:6], z)
        wanted = values(loss, HARD[:6], np.stack([0 * Z, Z], axis=1)[:6])
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    p = ops.sigmoid(z)
    p = np.array(ops.convert_to_numpy(ops.cast(p, "float32")))
    for loss in (GCE(), CrossEntropy()):
        half = values(loss, HARD[:6], ops.cast(ops.convert_to_tensor(p), dtype))
        np.testing.assert_array_equal(half, values(loss, HARD[:6], p))
        slopes = gradient(
            lambda x, f=loss.call: f(HARD[:6], ops.cast(x, dtype)), p
        )
        assert np.all(np.isfinite(slopes))


@catalogue_shared
def test_probabilities_down_to_the_last_digit(name):
    if name in OF_LOGITS:
        pytest.skip("needs logits")
    p = np.array(
        [1e-30, 1e-7, 0.3, 0.999, 1 - 2**-24, 0.0, 1.0, 0.5], "float32"
    )
    exact = p.astype("float64")
    with np.errstate(divide="ignore"):
        z = np.log(exact) - np.log1p(-exact)
    z = np.clip(z, np.log(np.finfo("float32").tiny), 87.336544)
    found = values(build(name, 2), HARD, p)
    wanted = values(build(name, 2, from_logits=True), HARD, z.astype("float32"))
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=1e-6)
    slopes = gradient(lambda x: build(name, 2).call(HARD, x), p)
    assert np.all(np.isfinite(slopes))


def test_every_form_of_outputs_and_labels():
    wanted = values(MAE(from_logits=True), HARD, PAIR)
    p = 1 / (1 + np.exp(-Z[:5], dtype="float32"))
    for outputs in (Z, Z[:, None]):
        for y in (HARD, HARD[:, None], HARD.astype("float32"), HARD == 1):
            found = values(MAE(from_logits=True, num_classes=2), y, outputs)
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    for outputs in (p, p[:, None]):
        found = values(MAE(), HARD[:5], outputs)
        np.testing.assert_allclose(found, wanted[:5], rtol=1e-5, atol=1e-6)
    image = np.reshape(Z, (2, 4, 1))
    for y in (HARD.reshape(2, 4), HARD.reshape(2, 4, 1)):
        found = values(MAE(from_logits=True), y, image)
        np.testing.assert_allclose(found, wanted.reshape(2, 4), rtol=1e-6)
    views = losses.GeneralizedJensenShannon(views=2)
    two = np.stack([p, p[::-1]], axis=1)[..., None]
    np.testing.assert_allclose(
        values(views, HARD[:5], two),
        values(views, HARD[:5], np.concatenate([1 - two, two], axis=-1)),
        rtol=1e-5,
    )


def test_one_sample_of_many_classes_is_no_batch_of_two():
    p = np.array([0.5, 0.25, 0.25], "float32")
    target = np.array([0.0, 1.0, 0.0], "float32")
    for y in (1, [1]):
        assert np.ravel(values(MAE(), np.array(y), p)) == pytest.approx(1.5)
    assert values(MAE(num_classes=3), target, p) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="classes of one sample"):
        MAE()(target, p)
    with pytest.raises(ValueError, match=r"2 or None.*num_classes=10"):
        MAE(num_classes=10)([0, 1], np.full((2, 1), 0.5, "float32"))


def test_auto_is_no_bias_and_calibrates_to_a_network():
    half = np.full((2, 1), 0.5, "float32")
    for loss in (MAEStar(), GCE(q="auto"), losses.ScaledMAE()):
        plain = GCE() if isinstance(loss, GCE) else MAE()
        assert values(loss, [0, 1], half) == pytest.approx(
            values(plain, [0, 1], half)
        )
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, "sigmoid")]
    )
    found = calibrate(MAEStar(), model, np.ones((4, 3)))
    assert (found.num_classes, found.logit_bias) == (2, 0.0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 2, 1, 1], r"labels 0 and 1.*y_true=2"),
        ([0, -1, 1, 1], r"pass `ignore_class`.*y_true=-1"),
        ([1, 2, 1, 1], "need `labels - 1`"),
        ([1, -1, 1, 1], r"need `\(labels \+ 1\) // 2`"),
        (np.array([0, 1.5, 1, 1], "float32"), "y_true=1.5"),
        (np.array([0, np.nan, 1, 1], "float32"), "y_true=nan"),
    ],
    ids=str,
)
def test_bad_labels(labels, message):
    p = np.array([[0.2], [0.7], [0.9], [0.1]], "float32")
    for loss in (MAE(reduction=None), losses.NCE(reduction=None)):
        with pytest.raises(ValueError, match=message):
            loss(labels, p)
        bad = ~np.isin(labels, [0, 1])
        assert np.array_equal(np.isnan(values(loss, labels, p)), bad)
        slopes = gradient(lambda x, f=loss.call: f(labels, x), p)[:, 0]
        assert np.all(slopes[bad] == 0) and np.all(slopes[~bad] != 0)


def test_bad_outputs_are_named():
    for outputs, message in (
        ([[2.0], [-1.0]], "from_logits=True"),
        ([[2.0], [0.5]], r"Dense\(1, activation=\"sigmoid\"\)"),
    ):
        outputs = np.array(outputs, "float32")
        with pytest.raises(ValueError, match=message):
            MAE()([0, 1], outputs)
        assert np.isnan(values(MAE(), [0, 1], outputs))[0]
    with pytest.raises(ValueError, match=r"losses\.Binary\(loss\)"):
        MAE()([0, 1], np.full((2, 3), 0.7, "float32"))
    inside = np.full((9, 1), 0.3, "float32")
    with pytest.warns(UserWarning, match="ends in a sigmoid"):
        MAE(from_logits=True).check(np.ones(9, int), inside)


@pytest.mark.parametrize("kind", [int, "float32"])
def test_ignored_labels_leave_the_mean(kind):
    p = np.array([[0.2], [0.7], [0.9], [0.1]], "float32")
    labels = np.array([1, -1, 0, -1]).astype(kind)
    for loss in (MAE(ignore_class=-1), losses.PeerLoss(ignore_class=-1)):
        plain = type(loss)()
        wanted = number(plain(labels[[0, 2]], p[[0, 2]]))
        assert number(loss(labels, p)) == pytest.approx(wanted, rel=1e-6)
    weights = np.array([2.0, 1.0, 0.0, 1.0], "float32")
    assert number(MAE(ignore_class=-1)(labels, p, weights)) == pytest.approx(
        values(MAE(ignore_class=-1), labels, p) @ weights / 2
    )


def trained(loss, y, activation="sigmoid", metrics=(), connect=False):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(1, activation)(inputs)
    if connect:
        outputs = loss.connect(outputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss, metrics=list(metrics))
    if activation == "sigmoid":
        keras_noisy.check(model, loss, (x, y))
    return model, model.fit(x, y, epochs=2, verbose=0).history


def test_fit_with_each_kind_of_loss():
    y = np.arange(16) % 2
    for loss in (MAEStar(), losses.NCE()):
        _, logs = trained(loss, y[:, None])
        assert np.all(np.isfinite(logs["loss"]))
    elr = losses.ELR(num_samples=16)
    _, logs = trained(elr, losses.with_index(y), connect=True)
    assert np.all(np.isfinite(logs["loss"]))
    assert elr.memory.state("targets").shape == (17, 2)
    fading = GCE(from_logits=True, logit_bias=1.0, fade="margin")
    _, logs = trained(fading, y, activation=None, connect=True)
    assert np.all(np.isfinite(logs["loss"]))
    assert fading.fading.progress.shape == (2,)
