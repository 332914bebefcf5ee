"""Wrong and unknown labels of samples that have several."""

import numpy as np
import pytest

from keras_noisy import losses, metrics
from keras_noisy.datasets import load
from keras_noisy.noise import flip_labels

pytestmark = pytest.mark.once

CLEAN = np.random.default_rng(0).integers(2, size=(40_000, 3))
RATES = np.array([[0.1, 0.3], [0.0, 0.5], [0.2, 0.0]])


def near(found, probability, count):
    deviation = np.sqrt(probability * (1 - probability) / count)
    return np.all(np.abs(found - probability) <= 5 * deviation)


def test_each_label_flips_at_its_own_rates():
    before = CLEAN.copy()
    noisy, changed, rate = flip_labels(CLEAN, RATES)
    assert np.array_equal(before, CLEAN)
    assert noisy.shape == CLEAN.shape and noisy.dtype == CLEAN.dtype
    assert np.array_equal(changed, noisy != CLEAN)
    assert rate == changed.mean()
    for label in range(3):
        for value in (0, 1):
            of_value = changed[CLEAN[:, label] == value, label]
            assert near(of_value.mean(), RATES[label, value], len(of_value))
    for same, other in ((0.25, (0.25, 0.25)), ((0, 1), [(0, 1)] * 3)):
        assert np.array_equal(
            flip_labels(CLEAN, same).labels, flip_labels(CLEAN, other).labels
        )
    again, other = (flip_labels(CLEAN, RATES, seed=n).labels for n in (0, 1))
    assert np.array_equal(again, noisy) and not np.array_equal(other, noisy)
    for column in (CLEAN[:, 0], CLEAN[:, :1], CLEAN[:, 0] == 1):
        found = flip_labels(column, (0.1, 0.3)).labels
        assert found.shape == column.shape
        assert set(np.unique(found)) == {0, 1}


def test_unknown_labels_are_no_wrong_ones():
    for dtype in ("uint8", "int64"):
        noisy, changed, rate = flip_labels(
            CLEAN.astype(dtype), (0.0, 0.4), unknown=[0.0, 0.5, 1.0]
        )
        hidden = noisy == -1
        assert hidden[:, 0].sum() == 0 and hidden[:, 2].all()
        assert near(hidden[:, 1].mean(), 0.5, len(noisy))
        assert np.array_equal(changed, (noisy != CLEAN) & ~hidden)
        assert rate == changed.mean()


@pytest.mark.parametrize(
    ("labels", "rates", "unknown", "message"),
    [
        (CLEAN + 1, 0.1, 0.0, r"labels in \[0, 2\)"),
        (CLEAN[None], 0.1, 0.0, r"shape=\(1, 40000, 3\)"),
        (CLEAN, 1.5, 0.0, "`rates`. Expected prob"),
        (CLEAN, [0.1, 0.2, 0.3], 0.0, r"shape \(3, 2\)"),
        (CLEAN, "many", 0.0, "`rates`"),
        (CLEAN, 0.1, -0.1, "`unknown`"),
        (CLEAN, 0.1, [0.1, 0.2], "`unknown`"),
    ],
)
def test_bad_arguments_are_named(labels, rates, unknown, message):
    with pytest.raises(ValueError, match=message):
        flip_labels(labels, rates, unknown)


def test_digits_that_are_in_a_number():
    data = load("multilabel_digits", "missing", 0.5, num_samples=2_000)
    numbers = load("digits", num_classes=1000, num_samples=2_000)
    assert np.array_equal(data.x_train, numbers.x_train)
    wanted = [
        [str(digit) in f"{number:03}" for digit in range(10)]
        for number in numbers.y_clean[:50]
    ]
    assert np.array_equal(data.y_clean[:50], wanted)
    assert data.num_classes == 10 and "of 10 classes" in repr(data)
    assert data.y_train.shape == (2_000, 10)
    assert near(data.y_train[data.y_clean == 1].mean(), 0.5, data.y_clean.sum())
    assert not data.y_train[data.y_clean == 0].any()
    assert load("multilabel_digits", num_samples=9).rate == 0
    own = load("multilabel_digits", [(0.0, 1.0)] * 10, num_samples=9)
    assert own.y_train.sum() == 0
    for arguments, message in (
        (("pair_flip", 0.1), '"symmetric", "missing"'),
        (((0.1, 0.2), 0.1), "a matrix has its own"),
        (([[0.1]],), "`rates`"),
    ):
        with pytest.raises(ValueError, match=message):
            load("multilabel_digits", *arguments, num_samples=9)
    with pytest.raises(ValueError, match="no arguments of 'multilabel"):
        load("multilabel_digits", num_classes=10)


def test_several_labels_beside_the_clean_ones():
    given = np.array([[1, 0, -1], [0, 1, 1]])
    clean = np.array([[1, 1, 0], [0, 0, 1]])
    pairs = losses.with_clean_labels(given, clean)
    assert pairs.dtype == "int64"
    assert np.array_equal(pairs, np.stack([given, clean], axis=-1))
    floats = np.where(given < 0, np.nan, given)
    assert losses.with_clean_labels(floats, clean).dtype == "float32"
    with pytest.raises(ValueError, match=r"of shape \(2, 3\)"):
        losses.with_clean_labels(given[:, :2], clean)
    with pytest.raises(ValueError, match="Expected numbers"):
        losses.with_clean_labels(given.astype(str), clean)
    p = [[0.9, 0.2, 0.9], [0.1, 0.6, 0.4]]
    for labels in (pairs, losses.with_clean_labels(floats, clean)):
        for weight, right, learned in (
            (None, 2 / 6, 2 / 2),
            ([1.0, 0.0], 1 / 3, 1 / 1),
            ([[1, 1, 1], [2, 0, 0]], 3 / 5, 1 / 1),
        ):
            rows = (
                (metrics.CleanAccuracy, right),
                (metrics.MemorizationRate, learned),
            )
            for kind, wanted in rows:
                metric = kind(multi_label=True)
                metric.update_state(labels, p, weight)
                assert float(metric.result()) == pytest.approx(wanted)


def test_metrics_of_a_single_output():
    pairs = losses.with_clean_labels([0, 1, 1, 0], [0, 1, 0, 1])
    p = np.array([0.2, 0.7, 0.9, 0.6])
    logits = np.log(p / (1 - p))
    for kind, wanted in (
        (metrics.CleanAccuracy, 3 / 4),
        (metrics.MemorizationRate, 1 / 2),
        (metrics.LabelAccuracy, 3 / 4),
    ):
        for outputs, arguments in ((p, {}), (logits, {"threshold": 0.0})):
            for form in (outputs, outputs[:, None]):
                metric = kind(**arguments)
                metric = type(metric).from_config(metric.get_config())
                metric.update_state(pairs, form)
                assert float(metric.result()) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="because `multi_label=True`"):
        metrics.CleanAccuracy(multi_label=True).update_state(pairs, p)
