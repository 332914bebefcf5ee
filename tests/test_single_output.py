"""A single output z for two classes equals the outputs (0, z)."""

import keras
import numpy as np
import pytest
from helpers import (
    OF_LOGITS,
    build,
    catalogue_shared,
    compiled,
    number,
    values,
    values_and_slopes,
)
from keras import ops

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, losses
from keras_noisy.calibration import calibrate

Z = np.array([0.0, 1.5, -3.0, 20.0, -20.0, 90.0, 1e4, -1e4], "float32")
HARD = np.array([1, 0, 1, 1, 1, 0, 1, 0])
SOFT = np.array([0.25, 0.5, 1, 0, 0.75, 0.125, 1, 0], "float32")
PAIR = np.stack([0 * Z, Z], axis=1)
#: Each label at both ends.
TWICE = np.concatenate([Z, Z[::-1]])


def pair(z):
    return ops.concatenate([ops.zeros_like(z), z], axis=-1)


def same_as_two_outputs(loss):
    """Values and gradients, by z itself, of labels and of soft ones."""
    for labels in (HARD, SOFT):
        y = np.concatenate([labels, labels])
        targets = y
        if labels is SOFT:
            targets = np.stack([1 - y, y], axis=1)
        found, slopes = values_and_slopes(
            lambda z, y=y: loss.call(y, z), TWICE[:, None]
        )
        assert found.shape == (16,) and np.all(np.isfinite(slopes))
        wanted = values_and_slopes(
            lambda z, y=targets: loss.call(y, pair(z)), TWICE[:, None]
        )
        for one, two in zip((found, slopes), wanted, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6)


@catalogue_shared
def test_a_logit_is_the_model_of_two_outputs(name):
    same_as_two_outputs(build(name, 2, from_logits=True))


ADJUSTED = {"logit_normalization": 0.5, "logit_adjustment": [3, 1]}


@pytest.mark.parametrize(
    ("name", "transforms"),
    [
        ("GCE", {"logit_bias": 1.5}),
        ("GCE", {"margin_scale": 0.5}),
        ("NCE", ADJUSTED),
        *(
            pytest.param(*row, marks=pytest.mark.once)
            for row in (
                ("GCE", {"logit_bias": -1.5}),
                ("GCE", {"logit_clip": 2.0}),
                ("GCE", ADJUSTED),
                ("NCE", {"logit_bias": 1.5}),
                ("JensenShannon", {"logit_bias": 1.5}),
                ("GCE", {"label_smoothing": 0.2, "balance": 0.5}),
                ("NCE", {"label_smoothing": 0.2, "balance": 0.5}),
                ("ActivePassive of p", {"margin_scale": 0.5}),
            )
        ),
    ],
    ids=str,
)
def test_what_acts_on_logits(name, transforms):
    same_as_two_outputs(build(name, 2, from_logits=True, **transforms))


@pytest.mark.parametrize(
    "dtype", ["float16", pytest.param("bfloat16", marks=pytest.mark.once)]
)
def test_half_precision(dtype):
    z = ops.cast(ops.convert_to_tensor(Z[:6, None]), dtype)
    loss = GCE(from_logits=True)
    found = values(loss, HARD[:6], z)
    wanted = values(loss, HARD[:6], Z[:6, None])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    p = ops.cast(ops.sigmoid(z), "float32")
    p = np.array(ops.convert_to_numpy(p))
    loss = CrossEntropy()
    half = lambda x: loss.call(HARD[:6], ops.cast(x, dtype))  # noqa: E731
    found, slopes = values_and_slopes(half, p)
    np.testing.assert_allclose(found, values(loss, HARD[:6], p), rtol=1e-6)
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
    loss = build(name, 2)
    found, slopes = values_and_slopes(lambda x: loss.call(HARD, x), p)
    assert np.all(np.isfinite(slopes))
    loss = build(name, 2, from_logits=True)
    wanted = compiled(lambda z: loss.call(HARD, z))(z.astype("float32"))
    wanted = ops.convert_to_numpy(wanted)
    np.testing.assert_allclose(found, wanted, rtol=3e-6, atol=1e-6)


@pytest.mark.once
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


@pytest.mark.once
def test_one_sample_of_many_classes_is_no_batch_of_two():
    p = np.array([0.5, 0.25, 0.25], "float32")
    target = np.array([0.0, 1.0, 0.0], "float32")
    for y in (1, [1]):
        assert np.ravel(values(MAE(), np.array(y), p)) == pytest.approx(1.5)
    assert values(MAE(num_classes=3), target, p) == pytest.approx(1.5)
    with pytest.raises(ValueError, match=r"one-hot.*np\.argmax"):
        MAE()(np.eye(2), np.full((2, 1), 0.5, "float32"))
    with pytest.raises(ValueError, match="classes of one sample"):
        MAE()(target, p)
    with pytest.raises(ValueError, match=r"2 or None.*num_classes=10"):
        MAE(num_classes=10)([0, 1], np.full((2, 1), 0.5, "float32"))


@pytest.mark.once
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
        ([0, 2, 1, -1], r"pass `ignore_class`.*y_true=2"),
        ([0, 1.5, 1, np.nan], "labels 0 and 1.*y_true=1.5"),
        *(
            pytest.param(*row, marks=pytest.mark.once)
            for row in (
                ([1, 2, 1, 1], "need `labels - 1`"),
                ([1, -1, 1, 1], r"need `\(labels \+ 1\) // 2`"),
                ([255, 0, 0, 0], "or `ignore_class=255` if 255 is no class"),
                ([1, np.nan, 1, 1], "a label such as -1"),
            )
        ),
    ],
    ids=str,
)
def test_bad_labels(labels, message):
    p = np.array([[0.2], [0.7], [0.9], [0.1]], "float32")
    labels = np.array(labels)
    for loss in (MAE(reduction=None), losses.NCE(reduction=None)):
        with pytest.raises(ValueError, match=message):
            loss(labels, p)
        bad = ~np.isin(labels, [0, 1])
        found, slopes = values_and_slopes(
            lambda x, f=loss.call: f(labels, x), p
        )
        assert np.array_equal(np.isnan(found), bad)
        assert np.all(slopes[bad] == 0) and np.all(slopes[~bad] != 0)


@pytest.mark.once
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


@pytest.mark.parametrize(
    "kind", ["float32", pytest.param(int, marks=pytest.mark.once)]
)
def test_ignored_labels_leave_the_mean(kind):
    p = np.array([[0.2], [0.7], [0.9], [0.1]], "float32")
    labels = np.array([1, -1, 0, -1]).astype(kind)
    weights = np.array([2.0, 1.0, 0.0, 1.0], "float32")
    found = number(MAE(ignore_class=-1)(labels, p, weights))
    # The distances are 0.8 and 0.9, of weight 2 and 0.
    assert found == pytest.approx(2 * 2 * 0.8 / 2)


@pytest.mark.once
def test_ignored_labels_have_no_share_in_the_batch():
    p = np.array([[0.2], [0.7], [0.9], [0.1]], "float32")
    for kind in (int, "float32"):
        labels = np.array([1, -1, 0, -1]).astype(kind)
        wanted = number(losses.PeerLoss()(labels[[0, 2]], p[[0, 2]]))
        found = number(losses.PeerLoss(ignore_class=-1)(labels, p))
        assert found == pytest.approx(wanted, rel=1e-6)


def test_a_step_of_each_kind_of_loss():
    y = np.arange(16) % 2
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    found = [
        MAEStar(),
        losses.ELR(num_samples=16),
        losses.OGC(history_size=16, update_every=1),
        GCE(from_logits=True, logit_bias=1.0, fade="margin"),
    ]
    inputs = keras.Input((4,))
    outputs = [
        loss.connect(
            keras.layers.Dense(1, None if loss.from_logits else "sigmoid")(
                inputs
            )
        )
        for loss in found
    ]
    outputs[0] = keras.layers.Reshape(())(outputs[0])
    model = keras.Model(inputs, outputs)
    model.compile("sgd", found)
    soft = (0.8 * y + 0.1).astype("float32")
    labels = [y, losses.with_index(y), y[:, None], soft]
    before = [ops.convert_to_numpy(w) for w in model.trainable_weights]
    before = [np.array(w) for w in before]
    keras_noisy.check(model, found, (x, labels))
    logs = model.fit(x, labels, batch_size=16, verbose=0).history
    assert all(np.all(np.isfinite(of_loss)) for of_loss in logs.values())
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert np.any(old != ops.convert_to_numpy(new))
    assert found[1].memory.state("targets").shape == (17, 2)
    assert found[3].fading.progress.shape == (2,)
