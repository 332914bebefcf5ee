"""Gradients at the logit gaps that networks produce."""

import keras
import numpy as np
import pytest
import reference
from helpers import (
    CATALOGUE,
    KINDS,
    OF_LOGITS,
    build,
    catalogue_of_probabilities_shared,
    catalogue_shared,
    expected,
    heads,
    values,
    values_and_slopes,
)
from helpers import gradient as compiled_gradient
from keras import ops

from keras_noisy import CrossEntropy, losses

# Hundreds of small cases share operations, but not programs; for a few cases
# one program is faster.
from keras_noisy.calibration._gradient import gradient

EPSILON = {"float32": 2e-4, "bfloat16": 2e-2, "float16": 4e-3}
# Where p is near 1, log-softmax rounds 1 - p to 6e-8; RCE multiplies by 9.
SMALLEST = 5e-6


def true_gradient(name, targets, z, **transforms):
    """By central differences of the float64 formula in log-space margins."""
    result = np.zeros_like(z)
    for k in range(z.shape[-1]):
        step = 1e-6 * max(1.0, np.abs(z).max())
        shift = step * (np.arange(z.shape[-1]) == k)
        up = expected(name, targets, z + shift, **transforms)
        down = expected(name, targets, z - shift, **transforms)
        result[..., k] = (up - down) / (2 * step)
    return result


#: Confident and right, confident and wrong, one class ruled out.
GAPS = np.array(
    [
        row
        for gap in (10, 100, 1e4)
        for row in ([gap, 0, 0, 0], [0, gap, 0, 0], [-gap, 0, 1, 2])
    ],
    "float32",
)


@pytest.mark.parametrize(
    ("name", "dtype", "bias"),
    [
        # Every loss in single precision and a loss of each kind in the others.
        pytest.param(
            *(name, dtype, bias),
            marks=[pytest.mark.once]
            if name not in KINDS and (dtype, bias) != ("float32", 5.0)
            else [],
        )
        for name in CATALOGUE
        for dtype in EPSILON
        for bias in (None, 5.0, 90.0)
    ],
)
def test_gradients_are_finite_and_right(name, dtype, bias):
    z = np.asarray(
        ops.convert_to_numpy(ops.cast(ops.cast(GAPS, dtype), "float32"))
    )
    labels = np.zeros(len(z), int)
    targets = reference.one_hot(labels, 4)
    with np.errstate(divide="ignore", invalid="ignore"):
        truth = np.concatenate(
            [
                # A step of its own for each gap.
                true_gradient(name, targets[:3], part, bias=bias)
                for part in np.split(z.astype("float64"), 3)
            ]
        )
    # If float64 overflows too, the loss is flat or linear.
    truth = np.nan_to_num(truth, nan=0.0)
    comparable = np.isfinite(expected_values(name, targets, z, bias))
    loss = build(name, 4, from_logits=True, logit_bias=bias)
    for y in (labels, targets):
        slopes = gradient(lambda x, y=y: loss.call(y, ops.cast(x, dtype)), z)
        assert np.all(np.isfinite(slopes))
        np.testing.assert_allclose(
            slopes[comparable],
            truth[comparable],
            rtol=EPSILON[dtype],
            atol=SMALLEST + 1e-3 * EPSILON[dtype],
        )
    assert np.all(np.isfinite(values(loss, labels, z)))


def expected_values(name, targets, z, bias):
    with np.errstate(divide="ignore", invalid="ignore"):
        return expected(name, targets, z.astype("float64"), bias=bias)


def jensen_shannon_slope(p, pi=0.5):
    m = pi + (1 - pi) * p
    divergence = np.log(p * (1 - pi) / m) + 1 - (1 - pi) * p / m
    return (divergence - pi / m) / -np.log(1 - pi)


A = -np.log(1e-4)

#: d loss / d log p of small p in three classes.
SLOPES = {
    "CrossEntropy": lambda p: -1.0,
    "MAE": lambda p: -2 * p,
    "MAEStar": lambda p: -2 * p,
    "ScaledMAE": lambda p: -2 * p,
    "GCE": lambda p: -(p**0.7),
    "GCE 0.1": lambda p: -(p**0.1),
    "TruncatedGCE": lambda p: 0.0,
    "RCE": lambda p: -A * p,
    "SCE": lambda p: -0.1 - A * p,
    "AGCE": lambda p: -((0.6 + p) ** -0.4) * p,
    "AGCE WebVision": lambda p: -((1e-5 + p) ** -0.5) * p,
    "AUL": lambda p: -((5.5 - p) ** 2) * p,
    "AEL": lambda p: -p / 2.5,
    "PHuberCE": lambda p: -10 * p,
    "TaylorCE": lambda p: -3 * p,
    "Focal": lambda p: -1.0,
    "ICCE": lambda p: -np.exp(-2),
    "NMAE": lambda p: -p / 2,
    "NRCE": lambda p: -p / 2,
    "JensenShannon": lambda p: p * jensen_shannon_slope(p),
    "ActivePassive of p": lambda p: -1.0,
}


OF_TRUE_CLASS = [
    name for name in CATALOGUE if build(name, 3, from_logits=True).has_formula
]


@pytest.mark.parametrize("name", SLOPES)
def test_error_of_a_hopeless_sample_is_relative_not_rounded_away(name):
    """At p = 1e-12 the gradient is small for MAE, but not wrong."""
    z = np.array([[-27.6, 0.0, 0.0]], "float32")
    loss = build(name, 3, from_logits=True)
    slope = gradient(lambda x: loss.call([0], x), z)[0, 0]
    p = 1 / (1 + 2 * np.exp(27.6))
    assert slope == pytest.approx(SLOPES[name](p), rel=1e-4, abs=0)


@pytest.mark.parametrize("name", OF_TRUE_CLASS)
def test_the_error_of_a_bad_sample_is_that_of_the_reference(name):
    """At p = 1e-6, where float64 still tells the difference."""
    z = np.array([[-13.8, 0.0, 0.0]], "float32")
    targets = np.array([[1.0, 0.0, 0.0]])
    loss = build(name, 3, from_logits=True)
    slope = gradient(lambda x: loss.call([0], x), z)[0, 0]
    step = 1e-2 * targets
    up, down = (expected(name, targets, z + s) for s in (step, -step))
    exact = (up - down)[0] / 2e-2
    assert slope == pytest.approx(exact, rel=1e-3, abs=1e-15)


@catalogue_shared
def test_a_class_ruled_out_by_minus_infinity(name):
    z = np.array([[0.0, 1.0, -np.inf], [0.0, 1.0, -np.inf]], "float32")
    loss = build(name, 3, from_logits=True, logit_bias=2.0)
    slopes = compiled_gradient(lambda x: loss.call([0, 2], x), z)
    assert np.all(np.isfinite(slopes))
    assert slopes[0, 0] < 0 < slopes[0, 1]


@catalogue_of_probabilities_shared
@pytest.mark.parametrize("dtype", EPSILON)
def test_gradients_through_a_softmax_are_finite(name, dtype):
    gaps = np.array([5, 10, 13, 16, 100, 1e4], "float32")
    z = np.zeros((12, 3), "float32")
    z[:6, 0] = z[6:, 1] = gaps
    labels = np.zeros(12, int)
    loss = build(name, 3, logit_bias=3.0)

    def value(x):
        return loss.call(labels, ops.softmax(ops.cast(x, dtype)))

    slopes = compiled_gradient(value, z)
    assert np.all(np.isfinite(slopes))
    of_logits = build(name, 3, from_logits=True, logit_bias=3.0)
    exact = compiled_gradient(lambda x: of_logits.call(labels, x), z)
    small = np.tile(gaps <= 10, 2)
    np.testing.assert_allclose(
        slopes[small],
        exact[small],
        rtol=20 * EPSILON[dtype],
        atol=2 * EPSILON[dtype],
    )


@catalogue_shared
@pytest.mark.parametrize("transform", ["logit_clip", "logit_normalization"])
def test_the_zero_vector_can_be_clipped_and_normalized(name, transform):
    loss = build(name, 3, from_logits=True, logit_bias=1.0, **{transform: 1.0})
    slopes = compiled_gradient(
        lambda x: loss.call([0], x), np.zeros((1, 3), "float32")
    )
    assert np.all(np.isfinite(slopes))
    assert slopes[0, 0] < 0


@pytest.mark.parametrize(
    "names",
    [KINDS, pytest.param(tuple(CATALOGUE), marks=pytest.mark.once)],
    ids=["kinds", "all"],
)
@pytest.mark.parametrize(
    ("policy", "ends_in"),
    [("mixed_float16", "softmax"), ("mixed_bfloat16", "logits")],
)
@pytest.mark.usefixtures("optimized")
def test_mixed_precision_fit(policy, ends_in, names):
    keras.config.set_dtype_policy(policy)
    softmax = ends_in == "softmax"

    def layer(inputs):
        # Gaps of a hundred in float16, where published losses turn to NaN.
        initializer = keras.initializers.RandomNormal(stddev=40.0)
        outputs = keras.layers.Dense(10, kernel_initializer=initializer)(inputs)
        return keras.layers.Softmax()(outputs) if softmax else outputs

    names = [x for x in names if x not in OF_LOGITS or not softmax]
    model, found = heads(
        names, 10, layer, from_logits=not softmax, logit_bias=2.0
    )
    model.compile(keras.optimizers.SGD(0.01), found)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    before = model.get_weights()
    labels = [rng.integers(10, size=64)] * len(names)
    history = model.fit(x, labels, epochs=10, verbose=0)
    for of_output in history.history.values():
        assert np.all(np.isfinite(of_output))
    after = model.get_weights()
    assert len(after) == 2 * len(names)
    moved = set()
    for name, old, new in zip(names, before[::2], after[::2], strict=True):
        assert np.all(np.isfinite(new)), name
        if np.any(old != new):
            moved.add(name)
    # At such gaps p is 0 or 1, where a bounded loss is rightly flat.
    assert moved >= {"CrossEntropy", "NCE"} & set(names)


@catalogue_of_probabilities_shared
def test_a_common_offset_of_the_logits_changes_nothing(name):
    z = np.array([[k, k - 8.0] for k in (0.0, 100.0, 1e4)], "float32")
    targets = np.array([[1.0, 0.0]] * 3)
    loss = build(name, 2, from_logits=True)
    np.testing.assert_allclose(
        values(loss, [0] * 3, z),
        expected(name, targets, z),
        rtol=1e-3,
        atol=3e-7,
    )


@catalogue_shared
def test_logits_that_are_all_far_below_zero(name):
    rows = np.array([[0.0, -1.0, 2.0], [3.0, 0.5, 0.0]], "float32")
    parts = [depth + rows for depth in (-91.0, -300.0, -1e4)]
    z = np.concatenate(parts)
    labels = np.array([0, 2] * 3)
    targets = reference.one_hot(labels, 3)
    loss = build(name, 3, from_logits=True)
    exact = expected(name, targets, z.astype("float64"))
    truth = np.concatenate(
        [
            # A step of its own for each depth.
            true_gradient(name, targets[:2], part.astype("float64"))
            for part in parts
        ]
    )
    for y in (labels, targets):
        found, slopes = values_and_slopes(lambda x, y=y: loss.call(y, x), z)
        np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(slopes, truth, rtol=2e-3, atol=1e-4)


#: Rows without their own label, and labels of few classes.
SPARSE = {
    "stays or goes on": [[0.6, 0.4, 0], [0, 0.7, 0.3], [0.2, 0, 0.8]],
    "never stays": [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "two of three": [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0.25, 0.75]],
}


@pytest.mark.parametrize("matrix", SPARSE)
@pytest.mark.parametrize(
    "gap",
    [
        90.0,
        *(pytest.param(g, marks=pytest.mark.once) for g in (50.0, 150.0, 1e4)),
    ],
)
def test_forward_correction_by_a_matrix_with_zeros(matrix, gap):
    T = np.array(SPARSE[matrix])
    z = np.array([[gap, 0, -1], [0, gap, 1], [-gap, 1, 0]], "float32")
    loss = losses.ForwardCorrection(T, from_logits=True)
    for labels in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        targets = reference.one_hot(labels, 3)

        def formula(z, targets=targets):
            return reference.forward_correction(targets, z, T)

        exact, truth = formula(z.astype("float64")), np.zeros((3, 3))
        for k in range(3):
            step = 1e-6 * gap * reference.one_hot(k, 3)
            truth[:, k] = formula(z + step) - formula(z - step)
        truth /= 2e-6 * gap
        for y in (labels, targets):
            found, slopes = values_and_slopes(lambda x, y=y: loss.call(y, x), z)
            np.testing.assert_allclose(found, exact, rtol=1e-5)
            np.testing.assert_allclose(slopes, truth, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("clip", [1e-25, 1e-12, 3e9, 1e19, 2e25, 1e37])
def test_a_clip_of_any_size(clip):
    z = np.array([[1.0, -2.0, 3.0], [0.0, 0.0, 0.0]], "float32")
    plain = CrossEntropy(from_logits=True)
    clipped = CrossEntropy(from_logits=True, logit_clip=clip)
    if clip < 1:
        exact, slope = np.log(3), np.zeros_like(z)
    else:
        exact = values(plain, [2, 0], z)
        slope = gradient(lambda x: plain.call([2, 0], x), z)
    np.testing.assert_allclose(values(clipped, [2, 0], z), exact, rtol=1e-5)
    found = gradient(lambda x: clipped.call([2, 0], x), z)
    tolerance = 1e-5 if clip > 1 else 2 * clip
    if clip < 1:  # The zero vector is not clipped.
        found, slope = found[:1], slope[:1]
    np.testing.assert_allclose(found, slope, atol=tolerance)


@pytest.mark.parametrize("size", [1e15, 1e22, 1e27])
@pytest.mark.parametrize("transform", ["logit_clip", "logit_normalization"])
def test_logits_of_a_diverged_network_are_clipped_and_normalized(
    transform, size
):
    z = size * np.array([[0.6, 0.0, -0.8]], "float32")
    loss = CrossEntropy(from_logits=True, **{transform: 2.0})
    norm = 2.0 if transform == "logit_clip" else 0.5
    exact = CrossEntropy(from_logits=True)([2], norm * z / size)
    np.testing.assert_allclose(
        values(loss, [2], z), ops.convert_to_numpy(exact), rtol=1e-5
    )
    assert np.all(
        np.isfinite(compiled_gradient(lambda x: loss.call([2], x), z))
    )


@catalogue_shared
@pytest.mark.parametrize("bias", [-5.0, -14.0, -20.0])
def test_a_negative_bias_lowers_even_a_confident_label(name, bias):
    z = np.array([[-bias, 0.0], [14.0, 0.0]], "float32")
    targets = np.array([[1.0, 0.0], [1.0, 0.0]])
    exact = expected(name, targets, z, bias=bias)
    loss = build(name, 2, from_logits=True, logit_bias=bias)
    for y in ([0, 0], targets):
        np.testing.assert_allclose(
            values(loss, y, z), exact, rtol=1e-5, atol=1e-6
        )


@catalogue_of_probabilities_shared
def test_weighted_gradients_through_a_softmax_do_not_overflow(name):
    gaps = (60.0, 85.0, 87.0, 89.0)
    z = np.array([row for g in gaps for row in ([0, g], [g, 0])], "float32")
    loss = build(name, 2)
    slopes = compiled_gradient(
        lambda x: 1024.0 * loss.call([0] * 8, ops.softmax(x)), z
    )
    assert np.all(np.isfinite(slopes))


@catalogue_shared
def test_half_precision_losses_are_summed_in_float32(name):
    z = np.zeros((4096, 3), "float32")
    z[:, 1] = 60.0
    labels = np.zeros(4096, int)
    result = build(name, 3, from_logits=True, dtype="float16")(labels, z)
    assert keras.backend.standardize_dtype(result.dtype) == "float16"
    exact = build(name, 3, from_logits=True)(labels, z)
    assert float(ops.convert_to_numpy(result)) == pytest.approx(
        float(ops.convert_to_numpy(exact)), rel=1e-3
    )


@pytest.mark.parametrize("name", OF_TRUE_CLASS)
def test_a_log_probability_that_rounding_lifts_above_zero(name):
    """Values that a log-softmax fused by XLA may return."""
    loss = build(name, 3, num_classes=3, logit_bias=None)
    log_p = ops.convert_to_tensor(np.array([1e-7, 0.0, -1e-7], "float32"))
    formula = loss.fresh(3).formula
    assert np.all(np.isfinite(ops.convert_to_numpy(formula(log_p))))
    assert np.all(np.isfinite(gradient(formula, np.array(log_p))))


@pytest.mark.parametrize("lambda_", [0.1, 0.005, 1e-4])
def test_ldr_kl_of_a_sure_and_right_network_is_finite(lambda_):
    logits = np.array([[1.0, -2.0, 30.0], [0.5, 0.2, -1.0]], "float32")
    labels = np.array([2, 0])
    s = np.logaddexp(0, logits.astype("float64"))
    s /= s.mean(axis=1, keepdims=True)
    powers = s - s[[0, 1], labels][:, None] + 0.1 * (np.eye(3)[labels] == 0)
    total = np.logaddexp.reduce(powers / lambda_, axis=1) - np.log(3)
    loss = losses.LDRKL(lambda_, from_logits=True, reduction=None)
    found = ops.convert_to_numpy(loss(labels, logits))
    np.testing.assert_allclose(found, lambda_ * total, atol=1e-6)
    assert np.isfinite(gradient(lambda z: loss(labels, z), logits)).all()


@pytest.mark.parametrize("num_classes", [3, 300])
@pytest.mark.parametrize(("lambda_", "margin"), [(0.1, 10.0), (0.01, 1.0)])
def test_ldr_kl_counts_a_margin_far_above_lambda(lambda_, margin, num_classes):
    """A sure label that is not yet above the others by the margin."""
    z = np.zeros((2, num_classes), "float32")
    z[:, 0], z[1, 1] = 1, 0.5
    labels = np.array([0, 1])
    targets = reference.one_hot(labels, num_classes)
    loss = losses.LDRKL(lambda_, margin, from_logits=True)
    truth = reference.ldr_kl(targets, z.astype("float64"), lambda_, margin)
    slopes = [gradient(lambda x, y=y: loss(y, x), z) for y in (labels, targets)]
    np.testing.assert_allclose(values(loss, labels, z), truth, rtol=1e-5)
    np.testing.assert_allclose(values(loss, targets, z), truth, rtol=1e-5)
    np.testing.assert_allclose(*slopes, rtol=1e-3, atol=1e-6)
    assert slopes[0][0, 0] < -0.01 / num_classes


@pytest.mark.parametrize("pi", [1e-7, 1e-4, 0.05, 0.95, 1 - 1e-6, 1 - 1e-10])
def test_jensen_shannon_of_a_weight_near_an_end(pi):
    z = np.array([[0.5, 1.0, -1.0], [9.0, -3.0, 0.5]], "float32")
    loss = losses.JensenShannon(pi, from_logits=True)
    for y in ([0, 2], reference.one_hot([0, 2], 3), [[0.1, 0.7, 0.2]] * 2):
        targets = reference.one_hot(y, 3) if np.ndim(y) == 1 else np.array(y)
        truth = reference.jensen_shannon(targets, z.astype("float64"), pi)
        np.testing.assert_allclose(values(loss, y, z), truth, rtol=1e-5)
        step = 1e-3 * np.eye(3)[0]
        of = [
            reference.jensen_shannon(targets, z.astype("float64") + s, pi)
            for s in (step, -step)
        ]
        slope = gradient(lambda x, y=y: loss.call(np.array(y), x), z)[:, 0]
        np.testing.assert_allclose(slope, (of[0] - of[1]) / 2e-3, atol=1e-4)
