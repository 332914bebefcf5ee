"""Wrong labels follow their protocol, the same on every machine."""

import hashlib
import time
import tracemalloc

import numpy as np
import pytest

from keras_noisy import noise

pytestmark = pytest.mark.once

CLEAN = np.arange(60_000) % 10
MATRICES = {
    "symmetric": noise.symmetric(10, 0.4),
    "symmetric, true class included": noise.symmetric(10, 0.4, True),
    "pair flip": noise.pair_flip(10, 0.45),
    "mnist": noise.asymmetric("mnist", 0.4),
    "fashion_mnist": noise.asymmetric("fashion_mnist", 0.3),
    "cifar10": noise.asymmetric("cifar10", 0.4),
    "own": np.random.default_rng(0).dirichlet(np.ones(10), size=10),
}


def share(clean, noisy, num_classes):
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (np.ravel(clean), np.ravel(noisy)), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def assert_binomial(found, probability, count):
    """Within five standard deviations, and exact where nothing is random."""
    deviation = np.sqrt(probability * (1 - probability) / count)
    assert np.all(np.abs(found - probability) <= 5 * deviation + 1e-12)


def digest(array):
    return hashlib.sha256(np.asarray(array, "<i8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("mode", ["bernoulli", "exact"])
@pytest.mark.parametrize("name", MATRICES)
def test_labels_follow_the_matrix(name, mode):
    noisy, changed, rate = noise.corrupt(CLEAN, MATRICES[name], mode, seed=1)
    found = share(CLEAN, noisy, 10)
    assert_binomial(found, MATRICES[name], 6_000)
    assert np.array_equal(changed, noisy != CLEAN)
    assert rate == changed.mean()


@pytest.mark.parametrize("name", MATRICES)
def test_exact_mode_changes_the_rounded_number_of_each_class(name):
    clean = np.repeat(np.arange(10), np.arange(5, 1005, 100))
    changed = noise.corrupt(clean, MATRICES[name], "exact", seed=2).changed
    for label in range(10):
        of_class = clean == label
        wanted = (1 - MATRICES[name][label, label]) * of_class.sum()
        assert abs(changed[of_class].sum() - wanted) <= 0.5 + 1e-9


def test_exact_mode_rounds_the_product_and_not_its_last_bit():
    clean = np.zeros(5, int)
    assert noise.corrupt(clean, noise.symmetric(2, 0.3), "exact").rate == 0.4


def test_cat_and_dog_do_not_contaminate_each_other():
    matrix = noise.asymmetric("cifar10", 1.0)
    noisy = noise.corrupt(CLEAN, matrix).labels
    assert np.array_equal(noisy[CLEAN == 3], np.full(6_000, 5))
    assert np.array_equal(noisy[CLEAN == 5], np.full(6_000, 3))


def test_the_overall_rate_of_asymmetric_cifar10_is_half():
    rate = noise.corrupt(CLEAN, noise.asymmetric("cifar10", 0.4)).rate
    assert_binomial(rate, 0.2, 30_000)


def test_which_samples_change_in_exact_mode_is_drawn_evenly():
    hits = np.zeros(40)
    for seed in range(500):
        clean = np.arange(40) % 2
        hits += noise.corrupt(
            clean, noise.symmetric(2, 0.25), "exact", seed
        ).changed
    assert_binomial(hits / 500, np.full(40, 0.25), 500)


def test_nothing_is_changed_in_place_and_types_are_kept():
    for dtype in ("uint8", "int32", "int64"):
        clean = CLEAN.astype(dtype)
        clean.setflags(write=False)
        matrix = noise.symmetric(10, 0.5)
        matrix.setflags(write=False)
        labels = noise.corrupt(clean[:, None], matrix).labels
        assert labels.dtype == dtype
        assert labels.shape == (60_000, 1)
        assert np.array_equal(clean, CLEAN)


def test_a_type_that_cannot_hold_every_class_grows():
    clean = np.zeros(10_000, "uint8")
    labels = noise.corrupt(clean, noise.symmetric(1000, 1.0)).labels
    assert labels.dtype == "uint16"
    assert labels.max() > 990 and labels.min() == 1


def test_no_labels_and_no_noise():
    assert noise.corrupt(np.zeros(0, int), noise.symmetric(3, 0.5)).rate == 0
    noisy, changed, rate = noise.corrupt(CLEAN, np.eye(10), "exact")
    assert np.array_equal(noisy, CLEAN) and not changed.any() and rate == 0
    for empty in (np.zeros((0, 3), int), np.zeros(0, int)):
        noisy, changed, rate = noise.flip_labels(empty, 0.5)
        assert noisy.shape == changed.shape == empty.shape and rate == 0


def test_seeds_differ_and_repeat():
    matrix = noise.symmetric(10, 0.4)
    for mode in ("bernoulli", "exact"):
        first, second, other = (
            noise.corrupt(CLEAN, matrix, mode, seed).labels
            for seed in (0, 0, 1)
        )
        assert np.array_equal(first, second)
        assert 0.1 < np.mean(first != other) < 0.9


def test_the_same_seed_gives_these_labels_everywhere():
    clean = np.arange(5_000) % 10
    images = (np.arange(5_000 * 12) * 7919 % 251).astype("uint8")
    images = images.reshape(5_000, 2, 2, 3)
    found = {
        mode: digest(noise.corrupt(clean, noise.symmetric(10, 0.4), mode, 7)[0])
        for mode in ("bernoulli", "exact")
    }
    found["instance"] = digest(
        noise.instance_dependent(images, clean, 0.4, 7).labels
    )
    found["open set"] = digest(
        noise.open_set(images, 255 - images, 0.3, 7).images
    )
    assert found == {
        "bernoulli": "8e91d078b5117993",
        "exact": "36078b950876e5ba",
        "instance": "21a632535e4602de",
        "open set": "da89c9997e88f3c2",
    }


def test_millions_of_labels_in_bounded_memory():
    clean = np.random.default_rng(0).integers(1000, size=2_400_000)
    matrix = noise.symmetric(1000, 0.4)
    for mode in ("bernoulli", "exact"):
        tracemalloc.start()
        noise.corrupt(clean, matrix, mode)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200e6


@pytest.mark.slow  # Next to other tests it would measure them too.
@pytest.mark.parametrize("mode", ["bernoulli", "exact"])
def test_millions_of_labels_take_half_a_second(mode):
    clean = np.random.default_rng(0).integers(1000, size=2_400_000)
    matrix = noise.symmetric(1000, 0.4)
    times = []
    for _ in range(3):
        start = time.process_time()
        noise.corrupt(clean, matrix, mode)
        times.append(time.process_time() - start)
    assert min(times) < 0.5
