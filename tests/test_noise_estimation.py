"""Predictions recover the transition matrix."""

import sys

import numpy as np
import pytest

from keras_noisy import noise


def noisy_predictions(matrix, count=6_000):
    """What a perfect network learns from noisy labels, and the labels."""
    rng = np.random.default_rng(0)
    clean = rng.integers(len(matrix), size=count)
    given = noise.corrupt(clean, matrix, seed=5).labels
    sure = rng.uniform(0.9, 1, size=(count, 1))
    predicted = sure * matrix[clean] + (1 - sure) / len(matrix)
    return predicted, given


@pytest.mark.parametrize("method", ["anchor", "cleanlab"])
@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "uneven"])
def test_the_transition_is_found_again(method, name):
    if method == "cleanlab":
        pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    matrix = {
        "symmetric": noise.symmetric(4, 0.3),
        "asymmetric": noise.asymmetric({0: 1, 2: 3}, 0.3, num_classes=4),
        "uneven": np.array([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.2, 0, 0.8]]),
    }[name]
    predicted, given = noisy_predictions(matrix)
    found = noise.estimate_transition(predicted, given, method)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    # Counting takes a sample that fits a class too well for one of the class.
    bound = 0.05 if method == "anchor" else 0.12
    assert np.abs(found - matrix).max() < bound


def test_the_anchor_is_the_sample_at_the_percentile():
    first = np.linspace(0.005, 0.995, 100)
    predicted = np.stack([first, 1 - first], axis=1)
    for percentile, rank in ((None, 96), (97, 96), (100, 99), (60, 59)):
        found = noise.estimate_transition(predicted, percentile=percentile)
        assert found[0, 0] == pytest.approx(first[rank])


@pytest.mark.parametrize("num_classes", [10, 30, 100])
def test_anchors_are_samples_of_their_class(num_classes):
    matrix = noise.pair_flip(num_classes, 0.3)
    predicted, _ = noisy_predictions(matrix, 20_000)
    found = noise.estimate_transition(predicted)
    assert np.abs(found - matrix).max() < 0.1
    if num_classes == 100:
        with pytest.warns(UserWarning, match="raise `percentile`"):
            noise.estimate_transition(predicted, percentile=97)


def test_a_class_that_is_never_predicted_is_warned_of():
    predicted = np.random.default_rng(0).dirichlet([1, 1], size=100)
    predicted = np.c_[predicted, np.zeros(100)]
    with pytest.warns(UserWarning, match="1 of 3 classes, 2 the first"):
        noise.estimate_transition(predicted)


def test_the_percentile_is_exact():
    for count, percentile, rank in ((100, 7, 7), (750, 4.4, 33)):
        predicted = np.arange(1, count + 1) / (count + 1)
        predicted = np.c_[predicted, 1 - predicted]
        with pytest.warns(UserWarning, match="2 of 2"):
            matrix = noise.estimate_transition(predicted, percentile=percentile)
        np.testing.assert_allclose(matrix[0, 0], rank / (count + 1))


def test_bad_estimates():
    predicted = np.full((4, 2), 0.5)
    cases = [
        (([[2.0, 1.0]],), "sums to 3"),
        ((predicted, [0, 1]), "4 rows"),
        ((predicted, [0, 1, 2, 0]), r"\[0, 2\)"),
        ((predicted, None, "median"), '"cleanlab"'),
        ((predicted, None, "cleanlab"), "given labels"),
        ((predicted, [0, 0, 0, 0], "cleanlab"), "none of class 1"),
        ((predicted, None, "anchor", 0), "percentile"),
    ]
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            noise.estimate_transition(*arguments)


def test_without_cleanlab_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(ImportError, match=r"pip install .cleanlab"):
        noise.estimate_transition(np.eye(2), [0, 1], "cleanlab")
