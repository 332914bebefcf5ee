"""Values and gradients against programs, papers and finite differences."""

import helpers
import keras
import numpy as np
import pytest
import reference
from helpers import OF_LOGITS, build, catalogue, expected, values
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar
from keras_noisy.calibration._gradient import gradient


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
]


@catalogue
@pytest.mark.parametrize("transforms", TRANSFORMS, ids=str)
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


@catalogue
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_shape_format_and_transform_against_float64(name, data):
    num_classes = data.draw(st.integers(2, 9), label="num_classes")
    shape = data.draw(
        st.sampled_from([(4,), (num_classes,), (2, 3), (1, 2, 2)]),
        label="shape",
    )
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


def test_identities():
    labels, logits = random_batch()
    ce = values(CrossEntropy(from_logits=True), labels, logits)
    mae = values(MAE(from_logits=True), labels, logits)
    gce_0 = values(GCE(q=1e-6, from_logits=True), labels, logits)
    gce_1 = values(GCE(q=1.0, from_logits=True), labels, logits)
    np.testing.assert_allclose(gce_0, ce, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gce_1, mae / 2, rtol=1e-5, atol=1e-6)


def test_mae_summed_over_all_labels_is_constant():
    _, logits = random_batch()
    loss = MAE(from_logits=True)
    total = sum(values(loss, np.full(6, k), logits) for k in range(7))
    np.testing.assert_allclose(total, 2 * (7 - 1), rtol=1e-6)


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
