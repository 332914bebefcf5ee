"""A model that has learned nothing is told from one that has begun to."""

import warnings

import numpy as np
import pytest
from shown_epochs import shown

from keras_noisy import noise
from keras_noisy.quality.learned import learned_nothing

pytestmark = pytest.mark.once

CLASSES = (2, 3, 10, 100, 1000)
#: Share of right predictions for clean labels, early in a training.
EARLY = {2: 0.7, 3: 0.55, 10: 0.3, 100: 0.1, 1000: 0.03}


def noisy(num_classes, rate=0.6, count=6000, seed=0):
    """Clean labels, and given labels with a share of wrong ones."""
    clean = np.random.default_rng(seed).integers(num_classes, size=count)
    # More wrong labels than right ones of two classes are other labels.
    rate = min(rate, 0.5 * (1 - 1 / num_classes))
    matrix = noise.symmetric(num_classes, rate)
    return clean, noise.corrupt(clean, matrix, seed=seed).labels


def guesses(clean, num_classes, right, seed=1):
    """Predictions with a share of right ones; the others are random."""
    rng = np.random.default_rng([seed, 9])
    other = rng.integers(num_classes, size=len(clean))
    return np.where(rng.random(len(clean)) < right, clean, other)


@pytest.mark.parametrize("num_classes", CLASSES)
@pytest.mark.parametrize("seed", range(5))
def test_independent_predictions_have_learned_nothing(num_classes, seed):
    clean, given = noisy(num_classes, seed=seed)
    for predicted in (
        guesses(clean, num_classes, 0, seed),
        np.full_like(clean, num_classes - 1),  # collapsed
        guesses(clean, num_classes, 0) // 2,  # to a half of the classes
        np.where(np.arange(len(clean)) % 200, 0, clean),  # except a few
    ):
        assert learned_nothing(given, predicted, num_classes)


@pytest.mark.parametrize("num_classes", CLASSES)
@pytest.mark.parametrize("seed", range(5))
def test_an_early_model_has_learned(num_classes, seed):
    clean, given = noisy(num_classes, seed=seed)
    right = EARLY[num_classes]
    for predicted in (
        guesses(clean, num_classes, right, seed),
        guesses(clean, num_classes, 1.0),
        given,  # memorized
    ):
        assert learned_nothing(given, predicted, num_classes) is None
    if num_classes >= 10:
        # Only a few outputs are in use, each for several classes.
        several = 2 if num_classes == 10 else 5
        few = clean // several * several
        assert learned_nothing(given, few, num_classes) is None


@pytest.mark.parametrize("num_classes", (10, 100, 1000))
def test_a_network_that_tells_classes_apart_by_chance_has_not(num_classes):
    alarms = 0
    for seed in range(40):
        clean, given = noisy(num_classes, seed=seed)
        output_of = np.random.default_rng(seed).permutation(num_classes)
        predicted = output_of[guesses(clean, num_classes, 0.8, seed)]
        alarms += learned_nothing(given, predicted, num_classes) is not None
    assert alarms >= 36


@pytest.mark.parametrize("rate", (0.0, 0.45))
@pytest.mark.parametrize("num_classes", (3, 10, 100))
def test_labels_that_flip_in_pairs_can_be_learned(num_classes, rate):
    clean, _ = noisy(num_classes)
    given = noise.corrupt(clean, noise.pair_flip(num_classes, rate)).labels
    assert learned_nothing(given, clean, num_classes) is None


def test_shares_of_classes_alone_are_nothing():
    rng = np.random.default_rng(0)
    shares = 0.5 ** np.arange(1, 9)
    draws = rng.choice(8, size=(2, 5000), p=shares / shares.sum())
    given, predicted = draws
    assert np.mean(given == predicted) > 0.3
    assert learned_nothing(given, predicted, 8)
    right = np.where(rng.random(5000) < 0.2, given, predicted)
    assert learned_nothing(given, right, 8) is None


def test_few_samples_or_one_class_cannot_tell():
    assert learned_nothing(np.array([0, 1, 2, 1]), np.zeros(4, int), 3) is None
    assert learned_nothing(np.zeros(500, int), np.ones(500, int), 2) is None


def test_many_classes_take_little_memory():
    clean = np.random.default_rng(0).integers(200_000, size=5000)
    given = np.where(np.arange(5000) % 2, clean, clean[::-1])
    assert learned_nothing(given, clean, 200_000) is None
    clean = np.random.default_rng(1).integers(200_000, size=5000)
    assert learned_nothing(given, clean[::-1], 200_000)


def callback(right, **arguments):
    """A callback that saw five classes predicted like that."""
    clean, given = noisy(5, 0.2, count=400)
    p = np.eye(5)[guesses(clean, 5, right)] * 0.6 + 0.08
    images = np.zeros((400, 4, 4), "uint8")
    return shown([p], given, images=images, clean_labels=clean)[0]


def test_the_warning_appears_once_and_says_what_to_do(tmp_path):
    advice = "has learned nothing .* Train for longer .*`MAEStar"
    for ask in (
        lambda quality: quality.suspects(3),
        lambda quality: quality.precision_recall(),
        lambda quality: quality.plot(3),
        lambda quality: quality.report(tmp_path / "report.html"),
    ):
        quality = callback(right=0)
        quality.scores()
        with pytest.warns(UserWarning, match=advice):
            ask(quality)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ask(quality)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '"warning": "The model has learned nothing' in text


def test_a_model_that_learns_is_not_warned_of(tmp_path):
    quality = callback(right=0.5)
    quality.suspects(3)
    path = quality.report(tmp_path / "report.html")
    assert '"warning": null' in path.read_text(encoding="utf-8")
