"""Several labels per sample: `Binary`, and the losses made for them."""

import copy

import keras
import numpy as np
import pytest
from helpers import (
    CATALOGUE,
    OF_LOGITS,
    build,
    compiled,
    expected,
    number,
    shared_part,
    values,
    values_and_slopes,
)
from keras import ops

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, losses, metrics
from keras_noisy.losses import SPLC, AsymmetricLoss, Binary, Hill

Y = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0]])
Z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32") * 4
FAR = np.array(
    [[0, 90, -90], [1e4, -1e4, 20], [-20, 0.5, -1e4], [1e4, 90, -90]]
)
FAR = FAR.astype("float32")
LOGITS = {"from_logits": True}
BINARY = [name for name in CATALOGUE if name != "ConfidenceCorrection"]


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, "float64")))


@shared_part(BINARY)
def test_a_sample_has_the_mean_over_its_labels(name):
    loss = Binary(build(name, 2, **LOGITS))
    wanted = expected(name, np.eye(2)[Y], np.stack([0 * Z, Z], axis=-1))
    both = np.concatenate([Z, FAR])
    for kind in ("int32", "float32"):
        y = np.concatenate([Y, Y]).astype(kind)
        found, slopes = values_and_slopes(lambda z, y=y: loss.call(y, z), both)
        np.testing.assert_allclose(
            found[:4], wanted.mean(axis=1), rtol=1e-5, atol=1e-6
        )
        assert np.all(np.isfinite(found)) and np.all(np.isfinite(slopes))
    if name not in OF_LOGITS:
        loss = Binary(build(name, 2))
        p = sigmoid(Z).astype("float32")
        found = compiled(lambda p: loss.call(Y, p))(p)
        np.testing.assert_allclose(
            ops.convert_to_numpy(found),
            wanted.mean(axis=1),
            rtol=1e-4,
            atol=1e-5,
        )


def asl(y, z, gamma_neg=4.0, gamma_pos=1.0, clip=0.05, frozen=None):
    p = sigmoid(z)
    shifted = np.maximum(p - clip, 0)
    weights = (1 - p) ** gamma_pos, shifted**gamma_neg
    w_pos, w_neg = weights if frozen is None else frozen
    found = -y * w_pos * np.log(p) - (1 - y) * w_neg * np.log1p(-shifted)
    return found, weights


def hill(y, z, lambda_=1.5, margin=1.0, gamma=2.0):
    p, near = sigmoid(z), sigmoid(z - margin)
    positive = -((1 - near) ** gamma) * np.log(near)
    return y * positive + (1 - y) * (lambda_ - p) * p**2


def splc(y, z, late, tau=0.6, margin=1.0, gamma=2.0):
    z = np.where(y == 1, z - margin, z)
    p = sigmoid(z)
    y = np.where((p > tau) & late, 1, y)
    weight = ((1 - p) * y + p * (1 - y)) ** gamma
    return -weight * (y * np.log(p) + (1 - y) * np.log1p(-p))


def against(*rows):
    """Values and derivatives, and finite ones far out."""
    step, steps = 1e-5, np.float64(Z)
    both = np.concatenate([Z, FAR])
    for loss, formula in rows:
        y = np.concatenate([Y, 1 - Y])
        found, slopes = values_and_slopes(
            lambda z, f=loss.call, y=y: f(y, z), both
        )
        np.testing.assert_allclose(
            found[:4], formula(Z).mean(axis=1), rtol=1e-5
        )
        wanted = (formula(steps + step) - formula(steps - step)) / (2 * step)
        np.testing.assert_allclose(slopes[:4], wanted / 3, rtol=1e-4, atol=1e-7)
        assert np.all(np.isfinite(found)) and np.all(np.isfinite(slopes))


def test_losses_for_missing_labels_against_their_formulas():
    own = {"gamma_neg": 3.0, "gamma_pos": 0.5, "clip": 0.1}
    against(
        (
            AsymmetricLoss(**own, **LOGITS),
            lambda z: asl(Y, z, **own, frozen=asl(Y, Z, **own)[1])[0],
        ),
        (
            Hill(lambda_=2.0, margin=0.5, gamma=1.5, **LOGITS),
            lambda z: hill(Y, z, 2.0, 0.5, 1.5),
        ),
        (
            SPLC(0, tau=0.8, margin=0.5, gamma=1.0, **LOGITS),
            lambda z: splc(Y, z, True, 0.8, 0.5, 1.0),
        ),
    )


@pytest.mark.once
def test_published_numbers_are_the_defaults():
    against(
        (
            AsymmetricLoss(stop_weight_gradient=False, **LOGITS),
            lambda z: asl(Y, z)[0],
        ),
        (Hill(**LOGITS), lambda z: hill(Y, z)),
        (SPLC(0, **LOGITS), lambda z: splc(Y, z, True)),
    )
    assert AsymmetricLoss().stop_weight_gradient


@pytest.mark.parametrize("clip", [1e-9, 0.009, 0.01])
def test_a_small_clip_of_the_asymmetric_loss_is_not_rounded_away(clip):
    """It left the logarithm of 0, and NaN for every sure label."""
    z = np.array([[-30.0], [16.0], [30.0]], "float32")
    loss = AsymmetricLoss(0, 1, clip, **LOGITS)
    p = 1 / (1 + np.exp(-z[:, 0].astype("float64")))
    of_negative = -np.log(np.minimum(1 - p + clip, 1))
    for y, truth in ((0, of_negative), (1, -(1 - p) * np.log(p))):
        labels = np.full((3, 1), y)
        found, slopes = values_and_slopes(
            lambda x, y=labels: loss.call(y, x), z
        )
        np.testing.assert_allclose(found, truth, 1e-4, 1e-6)
        assert np.all(np.isfinite(slopes))


@pytest.mark.once
def test_binary_cross_entropy_is_that_of_keras():
    both = np.concatenate([Z, FAR])
    plain = AsymmetricLoss(gamma_neg=0, gamma_pos=0, clip=0, **LOGITS)
    bce = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
    y = np.concatenate([Y, Y])
    wanted = ops.convert_to_numpy(bce(y, both))
    for loss in (plain, Binary(CrossEntropy(**LOGITS))):
        found = values(loss, y, both)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "pair", [(0.0, 0.4), pytest.param((0.1, 0.3), marks=pytest.mark.once)]
)
def test_noise_rates_are_forward_correction(pair):
    both, y = np.concatenate([Z, FAR]), np.concatenate([Y, 1 - Y])
    r_0, r_1 = pair
    T = [[1 - r_0, r_0], [r_1, 1 - r_1]]
    wanted, loss = (
        values_and_slopes(lambda z, f=loss.call: f(y, z), both)
        for loss in (
            Binary(losses.ForwardCorrection(T, **LOGITS)),
            Binary(CrossEntropy(**LOGITS), noise_rates=pair),
        )
    )
    for one, two in zip(loss, wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=2e-6)


@pytest.mark.once
def test_each_label_has_its_own_noise_rates():
    rates = [[0.1, 0.3], [0.0, 0.5], [0.2, 0.0]]
    found = values(Binary(MAE(**LOGITS), noise_rates=rates), Y, Z)
    p = sigmoid(Z)
    r_0, r_1 = np.transpose(rates)
    q = p * (1 - r_1) + (1 - p) * r_0
    np.testing.assert_allclose(found, 2 * np.abs(Y - q).mean(axis=1), rtol=1e-5)


def test_weights_of_positives_labels_and_samples():
    by_label = values(CrossEntropy(**LOGITS), Y, Z[..., None])
    more = np.array([3.0, 1.0, 0.5])
    weighted = by_label * np.where(Y == 1, more, 1)
    loss = Binary(CrossEntropy(**LOGITS), pos_weight=more, reduction=None)
    np.testing.assert_allclose(values(loss, Y, Z), weighted.mean(1), rtol=1e-5)
    weights = np.array([1.0, 0.0, 2.0, 1.0], "float32")
    each = np.random.default_rng(1).uniform(size=Y.shape).astype("float32")
    for given, wanted in (
        (weights, weighted.mean(1) * weights),
        (weights[:, None], weighted.mean(1) * weights),
        (each, (weighted * each).mean(1)),
    ):
        found = np.ravel(ops.convert_to_numpy(loss(Y, Z, given)))
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_unknown_labels_leave_the_mean():
    known = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
    by_label = values(GCE(**LOGITS), Y, Z[..., None])
    counts = np.maximum(known.sum(1), 1)
    wanted = (by_label * known).sum(1) / counts
    marked = np.where(known, Y, -1)
    nan = np.where(known, Y, np.nan).astype("float32")
    for y, arguments in ((marked, {"ignore_class": -1}), (nan, {})):
        loss = Binary(GCE(**arguments, **LOGITS))
        found, slopes = values_and_slopes(
            lambda z, f=loss.call, y=y: f(y, z), Z
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        assert np.array_equal(slopes != 0, known)
    # A sample without any known label does not count.
    assert number(loss(nan, Z)) == pytest.approx(wanted[[0, 2, 3]].mean())
    # TensorFlow does not compare booleans with -1.
    loss = Binary(GCE(ignore_class=-1, **LOGITS))
    np.testing.assert_allclose(values(loss, Y == 1, Z), by_label.mean(1), 1e-5)


@pytest.mark.once
def test_unknown_labels_of_every_loss():
    known = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
    marked = np.where(known, Y, -1)
    of_marked = values(AsymmetricLoss(ignore_class=-1, **LOGITS), marked, Z)
    counts = np.maximum(known.sum(1), 1)
    np.testing.assert_allclose(
        of_marked, (asl(Y, Z)[0] * known).sum(1) / counts, rtol=1e-5, atol=1e-9
    )
    with pytest.raises(ValueError, match=r"ignore_class`.*y_true=-1"):
        Binary(GCE(**LOGITS))(marked, Z)
    assert np.isnan(values(Binary(GCE(**LOGITS)), marked, Z)).tolist() == [
        True,
        True,
        False,
        True,
    ]


@pytest.mark.once
def test_losses_that_make_no_sense_say_why():
    for loss, reason in (
        (losses.ELR(10), "remembers samples"),
        (losses.OGC(), "remembers samples"),
        (MAE(balance=0.1), "leave `balance` out"),
        (losses.ConfidenceCorrection([[0.9, 0.1], [0, 1]]), "a confidence"),
        (losses.PeerLoss(), "without `prior`"),
        (losses.GeneralizedJensenShannon(), "its views"),
        (MAE(logit_bias=1.0, fade="margin"), "could fade"),
        (MAE(num_classes=10), "not num_classes=10"),
    ):
        with pytest.raises(ValueError, match=f"several labels.*{reason}"):
            Binary(loss)
    with pytest.raises(ValueError, match="Pass `reduction` to Binary"):
        Binary(MAE(reduction="sum"))
    with pytest.raises(ValueError, match="a loss of one label"):
        Binary("mse")
    for bad in ([0.5], (0.5, 0.5), (-0.1, 0.2), (np.nan, 0.1), "a", [[0.1]]):
        with pytest.raises(
            ValueError, match=r"`noise_rates`. Expected the rat"
        ):
            Binary(MAE(), noise_rates=bad)
    for bad in (0, -1, np.inf, [1, np.nan], "a", [], [[1]]):
        with pytest.raises(ValueError, match=r"`pos_weight`. Expected a posit"):
            Binary(MAE(), pos_weight=bad)
    with pytest.raises(ValueError, match=r"the 3 labels.*those of 2 labels"):
        Binary(MAE(), pos_weight=[1, 2])(Y, sigmoid(Z))


@pytest.mark.once
def test_mistakes_in_a_batch_are_named():
    p = sigmoid(Z).astype("float32")
    for y, outputs, message in (
        (Y[:, 0], p, r"same shape \(N, labels\).*GCE` as it is"),
        (Y[:, 0], p[:, 0], r"same shape \(N, labels\)"),
        (2 * Y, p, "labels 0 and 1.*y_true=2"),
        (Y, Z, "from_logits=True"),
        (Y, p / p.sum(1, keepdims=True), r"softmax: end .*Dense\(3,"),
    ):
        for loss in (Binary(MAE()), Hill()):
            with pytest.raises(ValueError, match=message):
                loss(y, outputs)
            with pytest.raises(ValueError, match=message):
                loss.check(y, outputs)


def model_of(loss, activation="sigmoid", dtype=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, activation, dtype=dtype)(inputs)
    return keras.Model(inputs, loss.connect(outputs))


X = np.random.default_rng(2).normal(size=(8, 4)).astype("float32")
LABELS = np.random.default_rng(3).integers(2, size=(8, 3))


def test_splc_begins_after_its_batches_also_in_a_loaded_model(tmp_path):
    loss = SPLC(start=2)
    model = model_of(loss)
    model.compile(keras.optimizers.SGD(0.0), loss)
    z = X @ np.asarray(ops.convert_to_numpy(model.layers[1].kernel))
    early, late = (splc(LABELS, z, when).mean() for when in (False, True))
    assert abs(early - late) > 1e-3
    logs = model.fit(X, LABELS, batch_size=8, epochs=3, verbose=0).history
    assert logs["loss"] == pytest.approx([early, early, late], rel=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(X, LABELS, verbose=0) == pytest.approx(late, rel=1e-4)
    assert int(ops.convert_to_numpy(again.loss.counter.steps)) == 3
    fresh = model_of(loss)
    fresh.compile("sgd", loss)
    assert fresh.evaluate(X, LABELS, verbose=0) == pytest.approx(
        early, rel=1e-4
    )
    with pytest.raises(ValueError, match=r"`SPLC` has `start=`.*connect"):
        SPLC(start=2)(LABELS, sigmoid(z))


def test_fit_with_clean_labels_beside_the_given_ones():
    given = np.where(np.arange(24).reshape(8, 3) % 5 == 0, 1 - LABELS, LABELS)
    given[0, 0] = -1
    pairs = losses.with_clean_labels(given, LABELS)
    assert pairs.shape == (8, 3, 2)
    loss = losses.GivenLabelLoss(Binary(GCE(ignore_class=-1)))
    found = [
        kind(multi_label=True)
        for kind in (
            metrics.CleanAccuracy,
            metrics.MemorizationRate,
        )
    ]
    model = model_of(Binary(GCE()))
    model.compile("sgd", loss, metrics=found)
    keras_noisy.check(model, loss, (X, pairs))
    p = model.predict(X, verbose=0)
    logs = model.evaluate(X, pairs, verbose=0, return_dict=True)
    wrong = (given != LABELS) & (given >= 0)
    right = (p > 0.5) == (LABELS == 1)
    assert logs["clean_accuracy"] == pytest.approx(right.mean())
    assert logs["memorization_rate"] == pytest.approx(1 - right[wrong].mean())
    assert logs["loss"] == pytest.approx(
        values(Binary(GCE(ignore_class=-1)), given, p).mean(), rel=1e-5
    )
    assert number(found[0](LABELS, p)) > 0  # As in validation.


@pytest.mark.parametrize("count", [1, 2, 3])
def test_labels_without_clean_ones_are_evaluated_in_any_number(count):
    clean, given = Y[:, :count], 1 - Y[:, :count]
    p = sigmoid(Z[:, :count]).astype("float32")
    right = np.mean((p > 0.5) == clean)
    inner = keras.losses.BinaryCrossentropy() if count == 2 else Binary(GCE())
    kinds = (metrics.CleanAccuracy, metrics.MemorizationRate)
    inputs = keras.Input((count,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(
        loss=losses.GivenLabelLoss(inner),
        metrics=[kind(multi_label=True) for kind in kinds],
    )
    for y, seen, rate in (
        (losses.with_clean_labels(given, clean), given, 1 - right),
        (clean, clean, 0),
    ):
        wanted = [number(inner(seen, p)), right, rate]
        found = model.evaluate(p, y, verbose=0)
        assert found == pytest.approx(wanted, rel=1e-5)


def test_half_precision_and_saved_losses():
    keras.config.set_dtype_policy("mixed_float16")
    loss = Binary(GCE(0.5, ignore_class=-1, **LOGITS), pos_weight=[1, 2, 3])
    model = model_of(loss, None)
    model.compile("sgd", loss)
    assert np.all(np.isfinite(model.fit(X, LABELS, verbose=0).history["loss"]))
    half = ops.cast(ops.convert_to_tensor(FAR[:, :2]), "float16")
    plain = Binary(GCE(0.5, **LOGITS))
    np.testing.assert_array_equal(
        values(plain, Y[:, :2], half), values(plain, Y[:, :2], FAR[:, :2])
    )
    rates = Binary(MAE(), noise_rates=[[0.1, 0.2]] * 3, name="own")
    for one in (loss, rates, AsymmetricLoss(clip=0.1), Hill(), SPLC(0)):
        saved = keras.losses.deserialize(keras.losses.serialize(one))
        for other in (saved, copy.deepcopy(one)):
            assert type(other) is type(one) and other.name == one.name
            wanted = one.get_config()
            assert other.get_config() == wanted
        p = Z if one is loss else sigmoid(Z).astype("float32")
        np.testing.assert_array_equal(values(saved, Y, p), values(one, Y, p))
