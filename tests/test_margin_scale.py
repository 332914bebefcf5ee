"""A scale of the margin: its values, its calibration, its fade."""

import keras
import numpy as np
import pytest
import reference
from helpers import build, gradient, values
from keras import ops

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, ScaledMAE, losses
from keras_noisy.calibration import (
    MarginFade,
    average_error,
    calibrate,
    matched_margin_scale,
    plot_margin_error,
)
from keras_noisy.calibration._scaled_moments import scaled_moment

SCALES = {
    2: 1.0,
    10: 1.0,
    14: 0.86199,
    20: 0.75772,
    50: 0.58670,
    100: 0.50414,
    365: 0.40082,
    1_000: 0.34607,
    10_000: 0.26394,
    43_097: 0.22942,
    1_000_000: 0.17903,
}
#: The same for all batches, so that little is compiled.
SHAPE = (12, 4)
#: Losses of the true class of several kinds, and their float64 formulas.
KINDS = {
    "MAE": (MAE, {}, None),
    "GCE": (GCE, {"q": 0.4}, reference.gce),
    "CrossEntropy": (CrossEntropy, {}, reference.cross_entropy),
    "TaylorCE": (losses.TaylorCE, {"t": 3}, reference.taylor_ce),
}
TRANSFORMS = (
    {},
    {"logit_clip": 1.5},
    {"logit_normalization": 0.25},
)


def expected(name, targets, z, scale, **transforms):
    """By the loss of two classes with the scaled margin."""
    _, arguments, formula = KINDS[name]
    of_two = formula or reference.mae

    def scaled(targets, z):
        pairs = np.stack([scale * reference.margins(z), 0 * z], axis=-1)
        each = of_two(np.array([1.0, 0.0]), pairs, **arguments) / scale
        return reference.expectation(targets, each)

    names = {k.removeprefix("logit_"): v for k, v in transforms.items()}
    return reference.loss_values(scaled, targets, z, **names)


@pytest.mark.parametrize("name", KINDS)
def test_values_of_labels_and_targets(name):
    rng = np.random.default_rng(0)
    z = (3 * rng.normal(size=SHAPE)).astype("float32")
    labels = rng.integers(4, size=12)
    soft = rng.dirichlet(np.ones(4), size=12)
    kind, arguments, _ = KINDS[name]
    for transforms in TRANSFORMS:
        shared = {"from_logits": True, "margin_scale": 0.4, **transforms}
        loss = kind(**arguments, **shared)
        one_hot = reference.one_hot(labels, 4)
        for y, targets in (
            (labels, one_hot),
            (one_hot, one_hot),
            (soft, soft),
        ):
            exact = expected(name, targets, z, 0.4, **transforms)
            np.testing.assert_allclose(values(loss, y, z), exact, rtol=1e-5)
    probabilities = reference.softmax(z).astype("float32")
    loss = kind(margin_scale=0.4, **arguments)
    exact = expected(name, one_hot, z, 0.4)
    np.testing.assert_allclose(
        values(loss, labels, probabilities), exact, rtol=1e-4
    )


#: Confident and right, confident and wrong, and a class far below.
GAPS = np.array(
    [
        row
        for gap in (10, 30, 100, 1e4)
        for row in ([gap, 0, 1, 2], [0, gap, 0, 0], [-gap, 0, 1, 2])
    ],
    "float32",
)


@pytest.mark.parametrize(("name", "scale"), [("MAE", 0.01), ("GCE", 0.35)])
def test_gradients_keep_their_digits_at_both_ends(name, scale):
    """Far beyond where the log-probability has rounded the margin away."""
    kind, arguments, _ = KINDS[name]
    q = arguments.get("q", 1.0)
    factor = 1.0 if name == "GCE" else 2.0
    loss = kind(from_logits=True, margin_scale=scale, **arguments)
    labels = np.zeros(len(GAPS), int)
    one_hot = reference.one_hot(labels, 4)
    for dtype in ("float32", "bfloat16", "float16"):
        z = np.array(
            ops.convert_to_numpy(ops.cast(ops.cast(GAPS, dtype), "float32"))
        )
        # d loss / d margin = -factor p^q (1 - p), from the scaled margin
        exact_z = z.astype("float64")
        m = scale * reference.margins(exact_z)[:, 0]
        rate = -factor * np.exp(-q * np.logaddexp(0, -m) - np.logaddexp(0, m))
        others = exact_z.copy()
        others[:, 0] = -np.inf
        exact = -rate[:, None] * reference.softmax(others)
        exact[:, 0] = rate
        tolerance = {"float32": 2e-5, "bfloat16": 1e-2, "float16": 1e-3}[dtype]
        for y in (labels, one_hot):
            slopes = gradient(
                lambda x, y=y, dtype=dtype: loss.call(y, ops.cast(x, dtype)), z
            )
            # float16 has nothing below 6e-8.
            smallest = 1e-30 if dtype != "float16" else 6e-8
            np.testing.assert_allclose(
                slopes, exact, rtol=tolerance, atol=smallest
            )
    np.testing.assert_allclose(
        values(loss, labels, GAPS),
        expected(name, one_hot, GAPS, scale),
        rtol=1e-5,
        atol=5e-7 / scale,
    )


def test_classes_that_are_ruled_out():
    z = np.array(
        4 * [[0, 1, 1, -np.inf], [0, 1, 0, -np.inf], [0, *3 * [-np.inf]]],
        "float32",
    )
    loss = MAE(from_logits=True, margin_scale=0.5)
    index = np.array(4 * [0, 3, 0])
    for labels in (index, reference.one_hot(index, 4)):
        found = values(loss, labels, z)
        exact = 4 / (1 + np.exp(-0.5 * (1 + np.log(2))))
        np.testing.assert_allclose(found, 4 * [exact, 4, 0], atol=1e-6)
        slopes = gradient(lambda x, y=labels: loss.call(y, x), z)
        assert np.all(np.isfinite(slopes))
        assert slopes[0, 0] < 0 < slopes[0, 1]


def test_the_factor_keeps_the_error_of_the_scaled_margin():
    """Steps do not shrink with the scale."""
    loss = CrossEntropy(from_logits=True, margin_scale=0.25)
    slopes = gradient(
        lambda x: loss.call([0] * 12, x),
        np.array([[-40.0, 0.0, -99.0, -99.0]] * 12, "float32"),
    )
    np.testing.assert_allclose(slopes, [[-1, 1, 0, 0]] * 12, atol=1e-3)


@pytest.mark.once
@pytest.mark.parametrize("num_classes", SCALES)
def test_scale_of_the_number_of_classes(num_classes):
    found = ScaledMAE(num_classes=num_classes).margin_scale
    assert found == pytest.approx(SCALES[num_classes], abs=6e-6)
    loss = MAE(margin_scale=found)
    error = average_error(loss, num_classes)
    assert error == pytest.approx(
        average_error(MAE(), min(num_classes, 10)), rel=1e-8
    )


@pytest.mark.once
@pytest.mark.parametrize("count", [2, 3])
def test_moments_of_few_classes_by_quadrature(count):
    x = np.arange(-9, 9, 0.04)
    weights = np.exp(-(x**2) / 2)
    weights /= weights.sum()
    sums = x if count == 2 else np.logaddexp.outer(x, x).ravel()
    if count == 3:
        weights = np.outer(weights, weights).ravel()
    z = np.array([-60.0, -3.0, 0.0, 2.0, 40.0])
    for scale in (0.1, 0.5, 1.0):
        margin = scale * (z[:, None] - sums)
        for power in (0.0, 0.1, 1.0, 3.0):
            log = power * -np.logaddexp(0, -margin) - np.logaddexp(0, margin)
            np.testing.assert_allclose(
                scaled_moment(power, count, z, 1.0, scale),
                np.exp(log) @ weights,
                rtol=1e-9,
                atol=1e-13,
            )


@pytest.mark.once
def test_integration_agrees_with_the_exact_moments():
    class General(MAE):
        @staticmethod
        def formula(log_p):
            return 2 - 2 * ops.exp(log_p)

    assert General().fresh(3).powers is None
    z = np.linspace(-5, 15, 5)
    for num_classes in (2, 100, 100_000):
        for kind in (General, MAE):
            errors = average_error(kind(margin_scale=0.4), num_classes, z, 2.0)
            exact = errors if kind is MAE else None
        np.testing.assert_allclose(
            average_error(General(margin_scale=0.4), num_classes, z, 2.0),
            exact,
            rtol=1e-3,
        )
    assert matched_margin_scale(General(), 1000) == pytest.approx(
        matched_margin_scale(MAE(), 1000), rel=1e-3
    )


@pytest.mark.once
@pytest.mark.parametrize("name", ["GCE", "CrossEntropy", "Focal", "AUL"])
def test_every_loss_of_the_true_class_has_one(name):
    few = build(name, 10)
    for classes in (3, 5):
        scale = matched_margin_scale(few, 60, classes)
        loss = build(name, 60, margin_scale=scale)
        assert average_error(loss, 60) == pytest.approx(
            average_error(few, classes), rel=1e-3
        )
    assert matched_margin_scale(few, 60, 3) < scale < 1


@pytest.mark.once
def test_a_class_count_that_is_not_given_and_one_of_ten():
    logits = np.random.default_rng(0).normal(size=(4, 20)).astype("float32")
    labels = [0, 1, 2, 3]
    unknown = ScaledMAE(from_logits=True)
    assert unknown.margin_scale == "auto"
    known = MAE(from_logits=True, margin_scale=matched_margin_scale(MAE(), 20))
    np.testing.assert_allclose(
        values(unknown, labels, logits), values(known, labels, logits), 1e-6
    )
    np.testing.assert_array_equal(
        values(unknown, labels, logits[:, :10]),
        values(MAE(from_logits=True), labels, logits[:, :10]),
    )


@pytest.mark.parametrize("targets", ["labels", "one-hot"])
@pytest.mark.parametrize("by_margin", [False, True])
def test_it_fades_to_one(by_margin, targets):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(12, 12)).astype("float32")
    labels = rng.integers(12, size=12)
    y = labels if targets == "labels" else reference.one_hot(labels, 12)
    fade = keras.optimizers.schedules.PiecewiseConstantDecay([9], [0.5, 0.0])
    loss = MAE(
        from_logits=True,
        margin_scale=0.4,
        fade=MarginFade() if by_margin else fade,
    )
    outputs = loss.connect(ops.convert_to_tensor(logits))
    share = np.full(12, 0.5)
    if by_margin:
        share = np.linspace(0, 1, 12)[labels]
        start = loss.fading._start
        loss.fading.progress.assign(start * np.linspace(0, 1, 12))
    found = values(loss, y, outputs)
    exact = [
        reference.scaled_mae(
            reference.one_hot(label, 12), row.astype("float64"), 1 - 0.6 * left
        )
        for label, row, left in zip(labels, logits, share, strict=True)
    ]
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_training_with_a_fade_ends_at_one_and_is_saved(tmp_path):
    loss = ScaledMAE(fade=MarginFade(margin_end=-2.0))
    inputs = keras.Input((30,))
    outputs = keras.layers.Dense(30, activation="softmax")(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile(keras.optimizers.SGD(20.0), loss)
    x, y = 2 * np.eye(30, dtype="float32"), np.arange(30)
    model.fit(x, y, epochs=30, batch_size=30, verbose=0)
    assert np.max(ops.convert_to_numpy(loss.fading.share())) == 0
    exact = reference.mae(np.eye(30), np.log(model.predict(x, verbose=0)))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(
        exact.mean(), rel=1e-4
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.get_config()["margin_scale"] == "auto"
    assert again.evaluate(x, y, verbose=0) == pytest.approx(
        exact.mean(), rel=1e-4
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAE(margin_scale=0.0), r"\(0, 1\].*margin_scale=0.0"),
        (lambda: MAE(margin_scale=1.5), r"\(0, 1\].*margin_scale=1.5"),
        (lambda: MAE(margin_scale="Auto"), "None or \"auto\".*'Auto'"),
        (lambda: MAE(margin_scale=0.5, logit_bias=1.0), "not both.*bias=1.0"),
        (lambda: MAEStar(margin_scale=0.5), "not both.*logit_bias='auto'"),
        (lambda: losses.NCE(margin_scale=0.5), "NCE depends on the whole"),
        (lambda: losses.ELR(9, margin_scale="auto"), "ELR depends on the wh"),
        (
            lambda: losses.get("NCE+RCE", margin_scale=0.5),
            "ActivePassive depends on the whole",
        ),
        (
            lambda: losses.ActivePassive(MAE(margin_scale=0.5), MAE()),
            "Pass `margin_scale` to ActivePassive",
        ),
        (
            lambda: GCE(q="auto", margin_scale="auto"),
            'Only one of `q` and `margin_scale` can be "auto"',
        ),
        (
            lambda: (
                losses.NMAE(num_classes=99, margin_scale="auto").margin_scale
            ),
            'NMAE has no "auto" scale. No margin scale in',
        ),
        (lambda: matched_margin_scale(losses.NCE(), 99), "loss of the true-c"),
        (lambda: matched_margin_scale(MAE(), 1), "num_classes=1"),
        (lambda: MAE(fade="margin").connect(ops.ones((1, 2))), "margin_scale"),
    ],
)
def test_what_does_not_go_is_said(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.once
def test_the_picture_shows_where_each_calibration_turns():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    calibrations = {"bias": MAEStar(), "scale": ScaledMAE()}
    margins = np.linspace(-6, 2, 801)
    figure = plot_margin_error(calibrations, 1000, margins=margins)
    curves = {c.get_label(): c.get_ydata() for c in figure.axes[0].lines[:2]}
    turns = [margins[np.argmax(curves[name])] for name in calibrations]
    bias = MAEStar(1000).logit_bias
    np.testing.assert_allclose(turns, [-bias, 0], atol=0.02)
    p = 1 / (1 + np.exp(-bias))
    np.testing.assert_allclose(curves["bias"][600], 2 * p * (1 - p), 1e-4)
    with pytest.raises(ValueError, match="true-class probability alone"):
        plot_margin_error([losses.NCE()])


@pytest.mark.once
def test_a_network_of_its_own_gives_another_scale():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(
                200, kernel_initializer=keras.initializers.RandomNormal(0, 1.0)
            ),
        ]
    )
    x = np.random.default_rng(0).normal(size=(64, 8))
    for loss in (
        ScaledMAE(from_logits=True),
        MAE(margin_scale=0.9, from_logits=True),
    ):
        found = calibrate(loss, model, x)
        assert found.logit_bias is None
        assert 0 < found.margin_scale < ScaledMAE(200).margin_scale


def test_a_sum_of_losses_of_the_true_class():
    z = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    index = np.arange(12) % 4
    shared = {"from_logits": True, "margin_scale": 0.5}
    both = losses.ActivePassive(CrossEntropy(), MAE(), 2.0, 3.0, **shared)
    for y in (index, reference.one_hot(index, 4)):
        parts = [values(kind(**shared), y, z) for kind in (CrossEntropy, MAE)]
        np.testing.assert_allclose(
            values(both, y, z), 2 * parts[0] + 3 * parts[1], rtol=1e-6
        )
