"""Calibration against exact values, and against sampling."""

import math
import time

import keras
import numpy as np
import pytest
from keras import ops

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, RobustLoss
from keras_noisy.calibration import (
    average_error,
    calibrate,
    logit_distribution,
    matched_hyperparameter,
    matched_logit_bias,
    plot_average_error,
)
from keras_noisy.losses import (
    AGCE,
    AUL,
    NCE,
    SCE,
    TruncatedGCE,
)

# Computed with 30 digits; see test_large_class_counts_have_a_closed_form.
BIAS = {
    2: 0.0,
    10: 0.0,
    14: 0.405186,
    20: 0.812923,
    50: 1.800696,
    100: 2.517907,
    200: 3.223191,
    365: 3.830290,
    1_000: 4.842412,
    10_000: 7.147210,
    21_841: 7.928548,
    1_000_000: 11.752624,
}
Q = {
    10: 0.7,
    14: 0.621265,
    20: 0.555691,
    50: 0.438532,
    100: 0.378750,
    200: 0.333449,
    365: 0.302123,
}
Q_FROM_100 = {
    50: 0.812425,
    100: 0.7,
    200: 0.615622,
    365: 0.557539,
    1_000: 0.481581,
    10_000: 0.367365,
    21_841: 0.340011,
}


def without_powers(loss_class):
    """The same loss, forced onto the integration for losses of p alone."""

    class General(loss_class):
        def error_powers(self):
            return None

    return General


class Focal(RobustLoss):
    def formula(self, log_p):
        return -ops.square(1 - ops.exp(log_p)) * log_p


class Truncated(RobustLoss):
    """Flat below p = 0.05, so its error has a jump."""

    def formula(self, log_p):
        return -ops.maximum(log_p, math.log(0.05))


class Pairwise(RobustLoss):
    """A loss of all logits, with its own `call` and no formula."""

    def call(self, y_true, y_pred):
        index = ops.expand_dims(ops.convert_to_tensor(y_true), -1)
        own = ops.take_along_axis(y_pred, index, axis=-1)[:, 0]
        return ops.mean(ops.softplus(y_pred), axis=-1) - own


@pytest.mark.parametrize(
    ("loss", "num_classes", "exact"),
    [
        (MAE(), 2, -0.4132419),
        (GCE(), 2, -0.2629252),
        (CrossEntropy(), 2, -0.5),
        (MAE(), 10, -0.1328881),
        (GCE(), 10, -0.1445709),
        (CrossEntropy(), 10, -0.9276255),
    ],
)
@pytest.mark.once
def test_published_average_errors(loss, num_classes, exact):
    assert average_error(loss, num_classes) == pytest.approx(exact, abs=5e-8)


@pytest.mark.parametrize("num_classes", BIAS)
def test_logit_bias_of_mae_star(num_classes):
    loss = MAEStar(num_classes=num_classes)
    assert loss.logit_bias == pytest.approx(BIAS[num_classes], abs=1e-6)


@pytest.mark.parametrize("num_classes", Q)
@pytest.mark.once
def test_q_matched_to_ten_classes(num_classes):
    loss = GCE(q="auto", num_classes=num_classes)
    assert loss.q == pytest.approx(Q[num_classes], abs=1e-6)


@pytest.mark.parametrize("num_classes", Q_FROM_100)
@pytest.mark.once
def test_q_matched_to_a_hundred_classes(num_classes):
    q = matched_hyperparameter(GCE(), "q", num_classes, reference_classes=100)
    assert q == pytest.approx(Q_FROM_100[num_classes], abs=1e-6)


@pytest.mark.parametrize("num_classes", [10_000, 21_841, 1_000_000])
@pytest.mark.once
def test_large_class_counts_have_a_closed_form(num_classes):
    """Then S is its mean, with a relative deviation below 1/sqrt(K)."""
    log_p = -math.log1p((num_classes - 1) * math.exp(0.5))
    q = GCE(q="auto", num_classes=num_classes).q
    error = -math.exp(q * log_p) * -math.expm1(log_p)
    assert error == pytest.approx(average_error(GCE(), 10), rel=1e-4)
    for power in (0.1, 0.5, 1.0):
        loss = GCE(q=power)
        assert average_error(loss, num_classes) == pytest.approx(
            math.exp(power * log_p) * math.expm1(log_p), rel=5e-4
        )


@pytest.mark.parametrize("loss_class", [CrossEntropy, MAE, GCE])
@pytest.mark.parametrize("num_classes", [2, 3, 10, 1_000, 1_000_000])
@pytest.mark.parametrize(
    "logit_std",
    [1.0, *(pytest.param(x, marks=pytest.mark.once) for x in (0.0, 0.3, 3.0))],
)
def test_integration_agrees_with_the_exact_moments(
    loss_class, num_classes, logit_std
):
    z = np.linspace(-5, 15, 9)
    np.testing.assert_allclose(
        average_error(without_powers(loss_class)(), num_classes, z, logit_std),
        average_error(loss_class(), num_classes, z, logit_std),
        rtol=1e-3,
    )


@pytest.mark.parametrize("loss_class", [Focal, Truncated, MAE])
@pytest.mark.parametrize("num_classes", [2, 5, 40])
@pytest.mark.once
def test_integration_agrees_with_sampling(loss_class, num_classes):
    rng = np.random.default_rng(0)
    others = np.exp(rng.normal(size=(200_000, num_classes - 1))).sum(axis=1)
    for z in (0.0, 1.5):
        p = np.exp(z) / (np.exp(z) + others)
        slope = {
            # d loss / d log p
            Focal: -((1 - p) ** 2) + 2 * p * (1 - p) * np.log(p),
            Truncated: -(p > 0.05).astype(float),
            MAE: -2 * p,
        }[loss_class]
        samples = slope * (1 - p)
        error = samples.std() / math.sqrt(len(samples))
        assert average_error(loss_class(), num_classes, z) == pytest.approx(
            samples.mean(), abs=4 * error + 1e-9
        )


@pytest.mark.once
def test_far_from_the_middle_nothing_cancels():
    """With two classes p is a sigmoid of one normal variable."""
    x = np.arange(-12, 12, 0.001)
    weights = np.exp(-(x**2) / 2)
    weights /= weights.sum()
    for z in (-50.0, -20.0, 15.0, 30.0, 50.0):
        log_p = -np.logaddexp(0, x - z)
        log_rest = -np.logaddexp(0, z - x)
        for loss, power, factor in (
            (CrossEntropy(), 0.0, -1.0),
            (MAE(), 1.0, -2.0),
            (GCE(), 0.7, -1.0),
        ):
            exact = factor * np.exp(power * log_p + log_rest) @ weights
            assert average_error(loss, 2, z) == pytest.approx(exact, rel=1e-9)


def test_an_ignored_class_plays_no_part_in_calibration():
    arguments = {"from_logits": True, "logit_clip": 3.0}
    assert average_error(MAE(ignore_class=0, **arguments), 10) == (
        average_error(MAE(**arguments), 10)
    )


@pytest.mark.parametrize(
    "num_classes",
    [10, *(pytest.param(x, marks=pytest.mark.once) for x in (2, 1000, 10**6))],
)
def test_losses_without_a_formula_are_sampled(num_classes):
    exact = 0.5 / num_classes - 1
    if num_classes > 2:
        assert average_error(Pairwise(), num_classes) == pytest.approx(
            exact, rel=1e-3
        )
    clipped = MAE(from_logits=True, logit_clip=1e9)
    assert average_error(clipped, num_classes) == pytest.approx(
        average_error(MAE(), num_classes), rel=1e-2
    )


def test_clip_weakens_the_error():
    clipped = average_error(CrossEntropy(from_logits=True, logit_clip=1.0), 100)
    # ||z|| is about 10: the slope falls to a tenth, the logits go to zero.
    assert clipped == pytest.approx(-0.1 * 0.99, rel=0.05)


def test_powers_of_a_class_are_not_those_of_a_changed_formula():
    class Halved(MAE):
        def formula(self, log_p):
            return super().formula(log_p) / 2

    assert average_error(Halved(), 20) == pytest.approx(
        average_error(MAE(), 20) / 2, rel=1e-4
    )


def test_logit_bias_shifts_the_curve():
    z = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(
        average_error(MAE(logit_bias=2.0), 50, z),
        average_error(MAE(), 50, z + 2.0),
        rtol=1e-12,
    )
    assert average_error(MAEStar(), 1000) == pytest.approx(
        average_error(MAE(), 10), rel=1e-8
    )
    assert average_error(GCE(q="auto"), 1000) == pytest.approx(
        average_error(GCE(), 10), rel=1e-8
    )


def test_shape_follows_z():
    assert isinstance(average_error(MAE(), 10), float)
    assert average_error(MAE(), 10, np.zeros((2, 3))).shape == (2, 3)
    assert average_error(MAE(), 10, [0.0, 1.0]).shape == (2,)


def test_mae_star_of_unknown_class_count_takes_it_from_the_predictions():
    for num_classes in (100, 20):
        logits = np.random.default_rng(0).normal(size=(4, num_classes))
        given = MAEStar(num_classes=num_classes, from_logits=True)
        unknown = MAEStar(from_logits=True)
        assert unknown.logit_bias == "auto"
        assert float(given([0, 1, 2, 3], logits)) == pytest.approx(
            float(unknown([0, 1, 2, 3], logits)), rel=1e-7
        )


def test_any_loss_can_have_an_automatic_bias():
    bias = Focal(num_classes=100, logit_bias="auto").logit_bias
    assert average_error(Focal(logit_bias=bias), 100) == pytest.approx(
        average_error(Focal(), 10), rel=1e-4
    )
    bias = CrossEntropy(num_classes=100, logit_bias="auto").logit_bias
    assert average_error(CrossEntropy(), 100, bias) == pytest.approx(
        average_error(CrossEntropy(), 10), rel=1e-8
    )


@pytest.mark.once
def test_only_one_automatic_argument():
    with pytest.raises(
        ValueError, match=r'one of `q` and `logit_bias`.*"auto"'
    ):
        GCE(q="auto", logit_bias="auto")


@pytest.mark.once
def test_rule_on_the_rising_side():
    """MAE sends the same error from two biases: the smaller one is right."""
    bias = matched_logit_bias(MAE(), 100)
    just_above = average_error(MAE(), 100, bias + 0.01)
    assert abs(just_above) > abs(average_error(MAE(), 100, bias))


@pytest.mark.once
def test_a_weight_may_be_zero_at_the_start():
    alpha = matched_hyperparameter(SCE(alpha=0.0), "alpha", 100)
    assert average_error(SCE(alpha=alpha), 100) == pytest.approx(
        average_error(SCE(alpha=0.0), 10), rel=1e-6
    )


@pytest.mark.once
def test_no_solution_is_an_error_with_the_range():
    with pytest.raises(ValueError, match=r"No `q` in \[0.001, 1000\].*bounds"):
        matched_hyperparameter(GCE(), "q", 14, reference_classes=100)
    message = r'NCE has no "auto" bias.*No logit bias.*add a passive loss'
    with pytest.raises(ValueError, match=message):
        _ = NCE(num_classes=1000, logit_bias="auto").logit_bias
    with pytest.raises(ValueError, match=r'AGCE has no "auto" a.*logit_bias='):
        _ = AGCE(a="auto", num_classes=1000).a
    with pytest.raises(ValueError, match=r"No logit bias in \[0, 1[0-9.]+\]"):
        matched_logit_bias(NCE(), 100)
    for call in (
        lambda: matched_logit_bias(TruncatedGCE(), 100),
        lambda: matched_hyperparameter(TruncatedGCE(), "q", 100),
    ):
        with pytest.raises(ValueError, match="no error to a fresh network"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_error(MAE(), 1), "num_classes=1"),
        (lambda: average_error(MAE(), 10, 0.0, -1.0), "logit_std=-1.0"),
        (lambda: average_error(MAE(), 10, 0.0, 11.0), "logit_std=11.0"),
        (lambda: average_error(MAE(), 10, np.inf), "z=inf"),
        (lambda: average_error(MAE, 10), r"such as `MAE\(\)`"),
        (lambda: matched_logit_bias(MAE(), 10.5), "num_classes=10.5"),
        (lambda: matched_hyperparameter(GCE(), "p", 10), "name='p'"),
        (lambda: matched_hyperparameter(MAE(), "q", 10), "of MAE"),
        (
            lambda: matched_hyperparameter(GCE(), "q", 10, bounds=(0, 1)),
            r"bounds\[0\]=0",
        ),
    ],
)
@pytest.mark.once
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.once
@pytest.mark.parametrize("loss", [MAE(), GCE(), CrossEntropy(), Focal()])
@pytest.mark.parametrize("num_classes", [2, 1_000, 1_000_000])
def test_a_call_takes_less_than_50_ms(loss, num_classes):
    z = np.linspace(-4, 12, 33)
    average_error(loss, num_classes, z)
    times = []
    for _ in range(5):
        start = time.process_time()
        average_error(loss, num_classes, z)
        times.append(time.process_time() - start)
    assert min(times) < 0.05


def network(num_classes, kernel_std, softmax=False):
    # Unit inputs give normal logits with this deviation.
    x = np.random.default_rng(0).normal(size=(512, 32)).astype("float32")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    inputs = keras.Input((32,))
    outputs = keras.layers.Dense(
        num_classes,
        activation="softmax" if softmax else None,
        kernel_initializer=keras.initializers.RandomNormal(stddev=kernel_std),
    )(inputs)
    return keras.Model(inputs, outputs), x


@pytest.mark.parametrize("softmax", [False, True])
def test_logit_distribution_of_a_network(softmax):
    model, x = network(200, 0.5, softmax)
    distribution = logit_distribution(model, x)
    assert distribution.mean == pytest.approx(0.0, abs=0.05)
    assert distribution.std == pytest.approx(0.5, rel=0.05)


def test_a_network_of_sparse_inputs():
    sparse = pytest.importorskip("scipy.sparse", reason="it needs SciPy")
    model, x = network(20, 0.5)
    found = logit_distribution(model, sparse.csr_matrix(x))
    np.testing.assert_allclose(found, logit_distribution(model, x), atol=1e-5)
    with pytest.raises(ValueError, match=r"`x`.*at least one sample"):
        logit_distribution(model, sparse.csr_matrix(x[:0]))


def test_calibrate_to_a_network():
    model, x = network(200, 0.5)
    std = logit_distribution(model, x).std
    star = calibrate(MAEStar(from_logits=True), model, x)
    assert type(star) is MAEStar
    assert star.num_classes == 200
    assert star.logit_bias == matched_logit_bias(MAE(), 200, logit_std=std)
    assert star.logit_bias != MAEStar(num_classes=200).logit_bias
    gce = calibrate(GCE(q="auto", from_logits=True), model, x)
    assert gce.q == matched_hyperparameter(GCE(), "q", 200, logit_std=std)
    assert gce.logit_bias is None
    plain = calibrate(MAE(from_logits=True), model, x)
    assert plain.logit_bias == star.logit_bias


def test_calibrate_checks_the_model():
    model, x = network(20, 1.0)
    with pytest.raises(ValueError, match=r"num_classes=10, but.* 20 outputs"):
        calibrate(MAEStar(num_classes=10), model, x)
    with pytest.raises(ValueError, match="a loss of keras_noisy"):
        calibrate("mae", model, x)
    with pytest.raises(ValueError, match=r"`x`.*at least one sample"):
        logit_distribution(model, x[:0])
    bad = np.where(np.arange(len(x))[:, None] == 5, np.nan, x)
    with pytest.raises(ValueError, match=r"the first of sample 5\."):
        logit_distribution(model, bad)
    model.layers[-1].kernel.assign(np.full((32, 20), np.nan))
    with pytest.raises(ValueError, match="finite outputs"):
        logit_distribution(model, x)


def test_a_single_output_without_its_axis_is_one():
    inputs = keras.Input((32,))
    single = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    flat = keras.Model(inputs, keras.ops.squeeze(single(inputs), -1))
    x = np.ones((20, 32), "float32")
    assert calibrate(MAEStar(from_logits=True), flat, x).num_classes == 2


@pytest.mark.once
def test_logits_that_no_fresh_network_has_are_named():
    model, x = network(20, 99.0)
    with pytest.raises(ValueError, match=r"at most 10\. .* Scale the inputs"):
        calibrate(MAEStar(from_logits=True), model, x)


@pytest.mark.once
def test_mistakes_in_a_picture_are_named():
    for losses in (MAE(), "MAE", [MAE], ["MAE"], {"MAE": "MAE"}, []):
        with pytest.raises(ValueError, match="argument `loss"):
            plot_average_error(losses)
    with pytest.raises(ValueError, match="argument `num_classes`"):
        plot_average_error([MAE()], 100)
    assert plot_average_error([MAE()], logit_std=0.0).axes


@pytest.mark.once
def test_picture(tmp_path):
    model, x = network(100, 1.0)
    figure = plot_average_error(
        [MAE(name="MAE"), MAEStar(name="MAE*")],
        num_classes=iter((10, 100)),
        logits=model.predict(x, verbose=0),
    )
    curves, histogram = figure.axes
    labels = [line.get_label() for line in curves.lines]
    assert "MAE*, 100 classes" in labels
    assert len(histogram.patches) > 10
    figure.savefig(tmp_path / "errors.png")
    assert (tmp_path / "errors.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "loss",
    [
        GCE(q=0.4),
        pytest.param(MAE(), marks=pytest.mark.once),
        pytest.param(AUL(), marks=pytest.mark.once),
    ],
)
@pytest.mark.parametrize("logit_std", [0.0, 1e-20, 9.3, 9.9, 10.0])
def test_a_bias_for_every_deviation_that_is_allowed(loss, logit_std):
    for num_classes in (11, 5000):
        bias = matched_logit_bias(loss, num_classes, logit_std=logit_std)
        errors = [
            average_error(loss, 10, logit_std=logit_std),
            average_error(
                type(loss).from_config(
                    {**loss.get_config(), "logit_bias": bias}
                ),
                num_classes,
                logit_std=logit_std,
            ),
        ]
        assert errors[1] == pytest.approx(errors[0], rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 10.1, "1"])
@pytest.mark.once
def test_a_deviation_outside_its_range_is_named_for_few_classes_too(bad):
    for num_classes in (2, 10, 400):
        with pytest.raises(ValueError, match="`logit_std`"):
            matched_logit_bias(MAE(), num_classes, logit_std=bad)
        with pytest.raises(ValueError, match="`logit_std`"):
            matched_hyperparameter(GCE(), "q", num_classes, logit_std=bad)
