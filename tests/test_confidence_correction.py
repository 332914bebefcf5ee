"""Correction by confidence: golden values, labels of every form, mistakes."""

import json

import helpers
import keras
import numpy as np
import pytest
from helpers import TESTS, gradient, number
from keras import ops
from precision import both_dtypes, close, precision

from keras_noisy import check, losses
from keras_noisy.losses import ConfidenceCorrection, with_confidence
from keras_noisy.metrics import LabelAccuracy
from keras_noisy.noise import transition_from_trusted

GOLDEN = json.loads((TESTS / "golden_ldce.json").read_text())
CASE = GOLDEN["classifier"]
LABELS, KIND = np.array(CASE["labels"]), np.array(CASE["kind"])
Y = with_confidence(LABELS, CASE["confidence"], KIND == 2)
FORMS = {
    "hard beta .6": {},
    "hard beta .1": {"beta": 0.1},
    "soft": {"soft": True},
}


@both_dtypes
def test_values_and_gradients_are_those_of_the_program(dtype):
    with precision(dtype):
        logits = np.array(CASE["logits"], dtype)
        for name, arguments in FORMS.items():
            loss = ConfidenceCorrection(
                CASE["C"], from_logits=True, dtype=dtype, **arguments
            )
            golden = CASE[name]
            close(loss(Y, logits), golden["loss"], dtype)
            slope = gradient(lambda z, loss=loss: loss(Y, z), logits)
            close(slope, golden["grad_logits"], dtype)
            assert loss.get_config()["beta"] == loss.beta


def rows(loss, y, p):
    return np.asarray(ops.convert_to_numpy(loss.call(y, p)))


def test_labels_of_every_form():
    """Plain and soft labels are trusted, also for two classes."""
    T, p = [[0.75, 0.25], [0.125, 0.875]], np.array(4 * [[0.25, 0.75]])
    loss = ConfidenceCorrection(T, soft=True)
    ce, forward = -np.log([0.25, 0.75]), -np.log(p[0] @ T)
    labels = np.array([0, 1, 0, 1])
    pairs = with_confidence(labels, [0.5, 0.5, 0.0, 1.0], trusted=[3])
    mean = (ce + forward) / 2
    np.testing.assert_allclose(
        rows(loss, pairs, p), [*mean, forward[0], ce[1]], 1e-6
    )
    for y in (labels, labels[:, None], np.eye(2)[labels]):
        np.testing.assert_allclose(rows(loss, y, p), ce[labels], 1e-6)
    left_out = ConfidenceCorrection(T, soft=True, ignore_class=-1)
    pairs[1] = -1, 2.5
    np.testing.assert_allclose(
        rows(left_out, pairs, p), [mean[0], 0.0, forward[0], ce[1]], 1e-6
    )


@pytest.mark.once
def test_rows_that_are_none_are_nan_or_named():
    T, p = [[0.75, 0.25], [0.125, 0.875]], np.array(4 * [[0.25, 0.75]])
    loss = ConfidenceCorrection(T, soft=True)
    pairs = np.float32([[0, 3.5], [0, 5], [2, 4], [0, 4]])
    assert list(np.isnan(rows(loss, pairs, p))) == [True] * 3 + [False]
    pairs = np.float32([[0, 1.5], [0, -1], [0, 0.5], [3, 4]])
    three = ConfidenceCorrection(np.eye(3))
    assert np.isnan(rows(three, pairs, np.full((4, 3), 1 / 3))).all()
    for y, message in (
        ([[0, 3.5]], "with_confidence"),
        ([[2, 4.0]], "probability distribution"),
        ([[0.5, 0.7]], "probability distribution"),
    ):
        with pytest.raises(ValueError, match=message):
            ConfidenceCorrection(T)(np.float32(y), p[:1])
    for y, message in (
        ([[0, 0.5]], "with_confidence"),
        ([[3, 2.5]], r"integer labels in \[0, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            ConfidenceCorrection(np.eye(3))(np.float32(y), np.eye(3)[:1])


def test_fits_saves_and_validates(tmp_path):
    """In a compiled step, with validation on plain labels."""
    loss = ConfidenceCorrection(CASE["C"], from_logits=True)
    dense = keras.layers.Dense(3, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[LabelAccuracy()])
    x = np.float32(CASE["logits"])
    history = model.fit(
        *(x, Y), batch_size=6, validation_data=(x, LABELS), verbose=0
    ).history
    golden = CASE["hard beta .6"]["loss"]
    assert history["loss"] == pytest.approx([golden], rel=1e-4)
    ce = number(losses.CrossEntropy(from_logits=True)(LABELS, x))
    assert history["val_loss"] == pytest.approx([ce], rel=1e-4)
    right = np.mean(x.argmax(1) == LABELS)
    assert history["val_accuracy"] == pytest.approx([right])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == loss.get_config()
    check(model, loss, (x, Y))


@pytest.mark.once
def test_bad_confidence():
    for arguments, message in (
        ({"labels": [0, -1]}, "`labels`"),
        ({"labels": [0, 2**24]}, "`labels`"),
        ({"confidence": [0.5]}, "`confidence`.*each of the 2 labels"),
        ({"confidence": [0.5, 1.5]}, r"`confidence`.*in \[0, 1\]"),
        ({"confidence": [0.5, np.nan]}, r"`confidence`.*in \[0, 1\]"),
        ({"trusted": [True]}, "`trusted`"),
        ({"trusted": [0, 0]}, "`trusted`.*different"),
        ({"trusted": [2]}, "`trusted`"),
        ({"trusted": [0.5]}, "`trusted`"),
    ):
        with pytest.raises(ValueError, match=message):
            with_confidence(
                **{"labels": [0, 1], "confidence": [0, 1], **arguments}
            )
    # Arguments without effect may have any value.
    assert with_confidence([0], [np.nan], [True]).tolist() == [[0.0, 4.0]]


@pytest.mark.once
def test_transition_of_trusted_predictions():
    golden = GOLDEN["transition"]["C"]
    p = helpers.reference.softmax(np.array(CASE["logits"]))
    C = transition_from_trusted(p, LABELS)
    np.testing.assert_allclose(C, golden, 1e-6)
    for arguments, message in (
        ((p, LABELS[1:]), "`labels`"),
        ((p, np.zeros(6, int)), r"`labels`.*classes \[1, 2\]"),
        ((p, LABELS + 1), "`labels`"),
        ((2 * p, LABELS), "`probabilities`"),
    ):
        with pytest.raises(ValueError, match=message):
            transition_from_trusted(*arguments)
