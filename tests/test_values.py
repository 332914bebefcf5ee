"""Values and gradients against programs, papers and finite differences."""

import helpers
import keras
import numpy as np
import pytest
import reference
from helpers import (
    CATALOGUE,
    KINDS,
    OF_LOGITS,
    build,
    catalogue_shared,
    expected,
    gradient,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar
from keras_noisy.losses import (
    BiTempered,
    EpsilonSoftmaxCE,
    Focal,
    ForwardCorrection,
    PeerLoss,
    tempered_softmax,
)


def random_batch(seed=0, rows=6, num_classes=7, scale=3.0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, num_classes)) * scale
    return rng.integers(num_classes, size=rows), logits.astype("float32")


TRANSFORMS = [
    {},
    {"logit_bias": 2.5},
    {"logit_bias": -1.0},
    {"logit_clip": 1.5},
    {"logit_bias": 4.0, "logit_clip": 0.5},
    {"logit_bias": 1.0, "logit_normalization": 0.25},
    {"logit_bias": 1.0, "logit_adjustment": (70, 50, 40, 30, 9, 2, 0.5)},
]


@pytest.mark.parametrize(
    ("name", "transforms"),
    [
        pytest.param(
            *(name, transforms),
            id=f"{name}-{transforms}",
            # Transforms are the same code for all losses, and test_parity
            # compares every loss on the backends.
            marks=() if name in KINDS else pytest.mark.once,
        )
        for name in CATALOGUE
        for transforms in TRANSFORMS
    ],
)
@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft"])
def test_gradient_equals_finite_differences_in_float64(name, transforms, soft):
    labels, logits = random_batch()
    targets = reference.one_hot(labels, 7)
    if soft:
        targets = 0.8 * targets + 0.2 * np.random.default_rng(1).dirichlet(
            np.ones(7), size=6
        )
    given_labels = targets.astype("float32") if soft else labels
    loss = build(name, 7, from_logits=True, **transforms)
    arguments = {k.removeprefix("logit_"): v for k, v in transforms.items()}
    step = 1e-5
    differences = np.zeros((6, 7))
    for k in range(7):
        shift = np.zeros(7)
        shift[k] = step
        up = expected(name, targets, logits + shift, **arguments)
        down = expected(name, targets, logits - shift, **arguments)
        differences[:, k] = (up - down) / (2 * step)
    np.testing.assert_allclose(
        gradient(lambda z: loss.call(given_labels, z), logits),
        differences,
        rtol=2e-4,
        atol=2e-6,
    )


#: JAX compiles every operation anew for a shape that it has not seen.
FEW_SHAPES = [(4, 7), (3, 3), (2, 3, 5), (1, 2, 2, 2)]
ANY_SHAPE = [
    (*shape, num_classes)
    for num_classes in range(2, 10)
    for shape in [(4,), (num_classes,), (2, 3), (1, 2, 2)]
]


@pytest.mark.parametrize(
    "shapes",
    [FEW_SHAPES, pytest.param(ANY_SHAPE, marks=pytest.mark.slow)],
    ids=["few", "any"],
)
@catalogue_shared
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_shape_format_and_transform_against_float64(name, shapes, data):
    *shape, num_classes = data.draw(st.sampled_from(shapes), label="shape")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), label="seed"))
    scale = data.draw(st.sampled_from([0.1, 1.0, 8.0]), label="scale")
    dtype = data.draw(st.sampled_from(["float32", "float16"]), label="dtype")
    from_logits = data.draw(st.booleans(), label="from_logits")
    bias = data.draw(st.sampled_from([None, -2.0, 0.5, 6.0]), label="bias")
    from_logits = from_logits or name in OF_LOGITS
    clips = [None, 0.5, 4.0] if from_logits else [None]
    clip = data.draw(st.sampled_from(clips), label="clip")
    label_format = data.draw(
        st.sampled_from(["labels", "column", "one-hot", "soft"]), label="format"
    )

    logits = (rng.normal(size=(*shape, num_classes)) * scale).astype(dtype)
    predictions = logits
    if not from_logits:
        predictions = np.exp(reference.log_softmax(logits.astype("float64")))
        predictions = predictions.astype("float32")
    labels = rng.integers(num_classes, size=shape)
    targets = reference.one_hot(labels, num_classes)
    if label_format == "soft":
        targets = rng.dirichlet(np.ones(num_classes), size=shape)
    y_true = {"labels": labels, "column": labels[..., None]}.get(
        label_format, targets.astype("float32")
    )
    loss = build(
        name,
        num_classes,
        from_logits=from_logits,
        logit_bias=bias,
        logit_clip=clip,
    )
    np.testing.assert_allclose(
        values(loss, y_true, predictions),
        expected(name, targets, logits, bias=bias, clip=clip),
        rtol=2e-5,
        atol=2e-5,
    )


def test_cross_entropy_is_that_of_keras():
    labels, logits = random_batch()
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours = CrossEntropy(from_logits=True)
    assert helpers.number(ours(labels, logits)) == pytest.approx(
        helpers.number(theirs(labels, logits)), rel=1e-6
    )


def test_mae_star_is_mae_up_to_ten_classes():
    labels, logits = random_batch()
    np.testing.assert_array_equal(
        values(MAEStar(from_logits=True), labels, logits),
        values(MAE(from_logits=True), labels, logits),
    )


def test_logit_bias_equals_a_shifted_logit():
    labels, logits = random_batch()
    shifted = logits.copy()
    shifted[np.arange(6), labels] += 3.0
    for loss_class in (CrossEntropy, MAE, GCE):
        np.testing.assert_allclose(
            values(
                loss_class(from_logits=True, logit_bias=3.0), labels, logits
            ),
            values(loss_class(from_logits=True), labels, shifted),
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("norm", [0.1, 1.0, 5.0])
def test_logit_clip_leaves_short_logits_alone_and_bounds_long_ones(norm):
    loss = CrossEntropy(from_logits=True, logit_clip=norm)
    plain = CrossEntropy(from_logits=True)
    direction = np.array([[0.6, 0.8, 0.0]], "float32")
    for length in (0.0, 0.5 * norm, norm):
        np.testing.assert_allclose(
            values(loss, [2], length * direction),
            values(plain, [2], length * direction),
            rtol=1e-6,
        )
    np.testing.assert_allclose(
        values(loss, [2], 1e4 * direction),
        values(plain, [2], norm * direction),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("name", "limit", "factor", "arguments"),
    [
        ("GCE", "CrossEntropy", 1, {"q": 1e-6}),
        ("GCE", "MAE", 0.5, {"q": 1.0}),
        ("BiTempered", "CrossEntropy", 1, {"t1": 1.0, "t2": 1.0}),
        ("TaylorCE", "MAE", 0.5, {"t": 1}),
        ("JensenShannon", "CrossEntropy", 1, {"pi": 3e-5}),
        ("JensenShannon", "CrossEntropy", 1, {"pi": 1e-8}),
        ("AGCE WebVision", "GCE", 1, {"a": 1e-9, "q": 0.7}),
        ("AGCE", "MAE", 5e5, {"a": 1e6, "q": 2.0}),
        ("PHuberCE", "CrossEntropy", 1, {"tau": 1e9}),
        ("PHuberCE", "MAE", 0.5, {"tau": 1.0}),
        ("ForwardCorrection", "CrossEntropy", 1, {"T": np.eye(7)}),
        ("BackwardCorrection", "CrossEntropy", 1, {"T": np.eye(7)}),
        ("ICCE", "CrossEntropy", 1, {"gamma": 0.0}),
        ("Focal", "CrossEntropy", 1, {"gamma": 0.0}),
        ("NFL", "NCE", 1, {"gamma": 0.0}),
        ("NNFL", "NNCE", 1, {"gamma": 0.0}),
        ("NGCE", "NMAE", 1, {"q": 1.0}),
        ("NGCE", "NCE", 1, {"q": 1e-8}),
        ("EpsilonSoftmaxCE", "CrossEntropy", 1, {"m": 0.0}),
        ("SoftBootstrapping", "CrossEntropy", 1, {"beta": 1.0}),
        ("HardBootstrapping", "CrossEntropy", 1, {"beta": 1.0}),
        ("CORES", "CrossEntropy", 1, {"beta": 0.0}),
        ("PeerLoss", "CORES", 1, {"alpha": 0.5, "prior": [1 / 7] * 7}),
        ("RCE", "MAE", -np.log(1e-4) / 2, {}),
        ("GeneralizedJensenShannon", "JensenShannon", 1, {"pi": 0.5}),
    ],
)
def test_identities(name, limit, factor, arguments):
    labels, logits = random_batch()
    for bias in (None, 1.5):
        shared = {"from_logits": True, "logit_bias": bias}
        ours = build(name, 7, **shared, **arguments)
        theirs = build(limit, 7, **shared)
        np.testing.assert_allclose(
            values(ours, labels, logits),
            factor * values(theirs, labels, logits),
            rtol=2e-3 if name == "JensenShannon" else 1e-4,
            atol=2e-5,
        )


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("MAE", 2 * 6),
        ("RCE", -np.log(1e-4) * 6),
        ("NCE", 1),
        ("NFL", 1),
        ("NGCE", 1),
        ("NMAE", 1),
        ("NRCE", 1),
        ("NNCE", 6),
        ("NNFL", 6),
    ],
)
def test_sum_over_all_labels_is_constant(name, total):
    _, logits = random_batch()
    loss = build(name, 7, from_logits=True)
    found = sum(values(loss, np.full(6, k), logits) for k in range(7))
    np.testing.assert_allclose(found, total, rtol=2e-6)


@pytest.mark.parametrize(
    ("t1", "t2", "published"),
    [
        (0.5, 1.5, [0.02301914, 0.18972909, 0.93874922]),
        (0.5, 0.8, [0.21646356, 0.41836615, 1.33997854]),
    ],
)
def test_published_values_of_the_bi_tempered_loss(t1, t2, published):
    targets = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1], [0.2, 0.8, 0]])
    logits = np.array([[-0.5, 0.1, 2.0], [0.1, 1.5, -5.0], [4.0, -3.0, -6.0]])
    loss = BiTempered(t1, t2, from_logits=True)
    np.testing.assert_allclose(
        values(loss, targets, logits.astype("float32")), published, rtol=5e-6
    )


@pytest.mark.once
@pytest.mark.parametrize(
    "t", [0.1, 0.5, 0.8, 0.99, 0.992, 1 - 1e-5, 1.0, 1 + 1e-6, 1.01, 1.25, 2, 5]
)
@pytest.mark.parametrize("num_classes", [2, 10, 1000, 100_000])
def test_tempered_softmax_sums_to_one(t, num_classes):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, num_classes))
    logits = np.array([0.01, 1, 5, 30, 1e4])[:, None] * rows
    p = tempered_softmax(logits.astype("float32"), t)
    p = keras.ops.convert_to_numpy(p).astype("float64")
    # There 1 + (1 - t) (z - c) is a small difference of large numbers.
    cancels = t < 0.5 and num_classes > 1000
    tolerance = 5e-4 if cancels else 2e-5
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=tolerance)
    if num_classes < 100_000:
        exact = np.exp(reference.tempered_log_softmax(logits, t))
        np.testing.assert_allclose(p, exact, rtol=2e-3, atol=1e-6)


def test_tempered_softmax_of_any_shape():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float16")
    p = keras.ops.convert_to_numpy(tempered_softmax(logits, 1.5))
    assert p.shape == (2, 3, 4)
    with pytest.raises(ValueError, match="`t`"):
        tempered_softmax(logits, 0.0)


def test_the_peer_term_of_a_batch_is_its_expectation_over_all_pairs():
    labels, logits = random_batch()
    log_p = reference.log_softmax(logits.astype("float64"))
    pairs = [-log_p[a, labels[b]] for a in range(6) for b in range(6)]
    ce = -log_p[np.arange(6), labels]
    loss = PeerLoss(alpha=0.7, from_logits=True)
    assert values(loss, labels, logits).mean() == pytest.approx(
        ce.mean() - 0.7 * np.mean(pairs), rel=1e-5
    )
    ignoring = PeerLoss(alpha=0.7, from_logits=True, ignore_class=-1)
    some = np.where([1, 1, 0, 1, 0, 1], labels, -1)
    kept = some >= 0
    assert values(ignoring, some, logits)[kept] == pytest.approx(
        values(loss, labels[kept], logits[kept]), rel=1e-5
    )
    soft = values(loss, reference.one_hot(labels, 7), logits)
    assert soft == pytest.approx(values(loss, labels, logits), rel=1e-5)


def test_an_impossible_label_of_a_transition_matrix_is_no_nan():
    T = [[1.0, 0.0], [1.0, 0.0]]
    loss = ForwardCorrection(T, from_logits=True)
    z = np.array([[0.0, 1.0]], "float32")
    assert values(loss, [1], z)[0] > 80
    assert np.all(np.isfinite(gradient(lambda x: loss.call([1], x), z)))


def test_forward_correction_without_noise_at_any_gap():
    """Where T has zeros its products underflow, and the label's own stays."""
    loss = ForwardCorrection(np.eye(3), from_logits=True)
    for gap in (10.0, 100.0, 1e4):
        z = np.array([[0, gap, 0]], "float32")
        for y in ([0], np.eye(3)[[0]]):
            np.testing.assert_allclose(values(loss, y, z), gap, rtol=1e-4)
            slope = gradient(lambda x, y=y: loss.call(y, x), z)
            np.testing.assert_allclose(slope, [[-1, 1, 0]], atol=1e-3)


def test_importance_reweighting_by_a_matrix():
    """The weight has no gradient: cross-entropy's gradient times the weight."""
    labels, logits = random_batch()
    T, z = np.array(helpers.transition(7)["T"]), logits.astype("float64")
    loss = ForwardCorrection(T, mode="reweight", from_logits=True)
    soft = np.random.default_rng(1).dirichlet(np.ones(7), 6)
    p = reference.softmax(z)
    for y, t in ((labels, reference.one_hot(labels, 7)), (soft, soft)):
        y = y.astype("float32") if y is soft else y
        exact = reference.importance_reweighting(t, z, T)
        np.testing.assert_allclose(values(loss, y, logits), exact, rtol=1e-5)
        weight = t * p / (p @ T)
        exact = p * weight.sum(1, keepdims=True) - weight
        slope = gradient(lambda x, y=y: loss.call(y, x), logits)
        np.testing.assert_allclose(slope, exact, rtol=1e-4, atol=1e-6)
    ruled_out = ForwardCorrection(
        [[0.0, 1.0], [1.0, 0.0]], mode="reweight", from_logits=True
    )
    for gap in (0.0, 20.0, 1e4):
        far = np.array([[gap, 0.0]], "float32")
        assert np.isfinite(values(ruled_out, [0], far)).all()
        slope = gradient(lambda x: ruled_out.call([0], x), far)
        assert np.isfinite(slope).all()


def test_ties_of_the_eps_softmax_go_to_the_first_class():
    loss = EpsilonSoftmaxCE(m=9.0, from_logits=True)
    first, second = values(loss, [0, 1], np.zeros((2, 2), "float32"))
    assert (first, second) == pytest.approx((-np.log(0.95), np.log(20)))


@pytest.mark.parametrize("name", ["EpsilonSoftmaxCE", "HardBootstrapping"])
def test_the_gradient_at_a_tie_is_that_of_the_first_class(name):
    loss = build(name, 3, from_logits=True)
    tied = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "float32")
    first = tied + np.array([1e-4, 0, 0], "float32")
    np.testing.assert_allclose(
        gradient(lambda x: loss.call([0, 1], x), tied),
        gradient(lambda x: loss.call([0, 1], x), first),
        atol=1e-4,
    )


def test_cut_gradients_of_focal_weights():
    """The value is the same; the gradient treats the weights as fixed."""
    labels, logits = random_batch()
    for name in ("Focal", "NFL", "NNFL"):
        true = build(name, 7, from_logits=True, gamma=2.0)
        cut = type(true)(gamma=2.0, from_logits=True)
        assert cut.stop_weight_gradient
        np.testing.assert_array_equal(
            values(cut, labels, logits), values(true, labels, logits)
        )
    p = reference.softmax(logits.astype("float64"))
    y = reference.one_hot(labels, 7)
    weight = (1 - (p * y).sum(axis=1, keepdims=True)) ** 2
    cut = Focal(gamma=2.0, from_logits=True)
    np.testing.assert_allclose(
        gradient(lambda x: cut.call(labels, x), logits),
        weight * (p - y),
        rtol=1e-4,
        atol=1e-6,
    )
