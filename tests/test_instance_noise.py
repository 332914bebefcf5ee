"""Wrong labels that depend on the image."""

import sys
import tracemalloc

import numpy as np
import pytest
import real_data
from test_noise import assert_binomial

from keras_noisy import noise

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def instance_noise():
    images = np.random.default_rng(0).random((20_000, 6, 6))
    clean = np.arange(20_000) % 10
    return images, clean, noise.instance_dependent(images, clean, 0.3, seed=3)


def test_instance_noise_has_the_rate_of_its_protocol(instance_noise):
    _, clean, (noisy, changed, rate) = instance_noise
    # The mean of a normal (.3, .1) that is cut off at 0 and 1.
    assert_binomial(rate, 0.3004, 20_000)
    assert np.array_equal(changed, noisy != clean)
    for label in range(10):
        assert_binomial(changed[clean == label].mean(), 0.3004, 2_000)


def test_a_small_rate_is_the_mean_of_the_truncated_normal(instance_noise):
    images, clean, _ = instance_noise
    rate = noise.instance_dependent(images, clean, 0.1).rate
    density, below = 0.2419707, 0.1586553
    assert_binomial(rate, 0.1 + 0.1 * density / (1 - below), 20_000)
    assert noise.instance_dependent(images, clean, 0).rate == 0


def test_similar_images_get_the_same_wrong_label(instance_noise):
    images, _, _ = instance_noise
    twice = np.concatenate([images[:500], images[:500] + 1e-6])
    clean = np.zeros(1000, int)
    noisy, changed, _ = noise.instance_dependent(
        20 * twice, clean, 1.0, num_classes=10
    )
    both = changed[:500] & changed[500:]
    same = noisy[:500][both] == noisy[500:][both]
    assert np.count_nonzero(both) > 300
    # By chance far fewer would agree: many labels occur.
    assert np.mean(same) > 0.7
    assert len(np.unique(noisy)) > 5


def test_instance_noise_does_not_depend_on_the_chunks(
    instance_noise, monkeypatch
):
    images, clean, whole = instance_noise
    from keras_noisy.noise import instance_dependent

    module = sys.modules[instance_dependent.__module__]
    monkeypatch.setattr(module, "CHUNK", 7)
    parts = noise.instance_dependent(images, clean, 0.3, seed=3)
    assert np.array_equal(whole.labels, parts.labels)


@pytest.mark.parametrize("label", [0, 1])
def test_instance_noise_has_the_distribution_of_the_formula(label):
    """Against the formula, one sample at a time, from the same projection."""
    from keras_noisy._random import Random

    images = np.random.default_rng(4).random((3, 2, 2))
    count = 60_000
    x, clean = images.repeat(count, axis=0), np.full(3 * count, label)
    noisy = noise.instance_dependent(x, clean, 0.4, seed=9, num_classes=4)
    projection = Random(9, 2, 3, label).normal(4, 4)
    for i, image in enumerate(images):
        scores = image.ravel() @ projection
        scores[label] = -np.inf
        expected = 0.4 * np.exp(scores) / np.exp(scores).sum()
        expected[label] = 0.6
        found = np.bincount(
            noisy.labels[i * count : (i + 1) * count], minlength=4
        )
        assert_binomial(found / count, expected, count)
    assert not np.allclose(projection, Random(9, 2, 3, 1 - label).normal(4, 4))


def test_the_noise_of_two_functions_is_not_the_same(instance_noise):
    _, clean, instance = instance_noise
    changed = noise.corrupt(clean, noise.symmetric(10, 0.4), seed=3).changed
    both = np.corrcoef(changed, instance.changed)[0, 1]
    assert abs(both) < 5 / np.sqrt(len(clean))


def test_integer_images_are_scaled_to_one(instance_noise):
    _, clean, _ = instance_noise
    images = np.random.default_rng(1).integers(256, size=(20_000, 5, 5))
    found = [
        noise.instance_dependent(x, clean, 0.4).labels
        for x in (images.astype("uint8"), images / 255)
    ]
    assert np.array_equal(*found)


def test_instance_noise_of_all_of_cifar100_fits_in_memory():
    images = real_data.cifar100_images("train")
    labels = real_data.cifar100_labels()["train"]
    tracemalloc.start()
    noisy, changed, rate = noise.instance_dependent(images, labels, 0.4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert_binomial(rate, 0.4, 50_000)
    assert np.array_equal(changed, noisy != labels)
    assert len(np.unique(noisy)) == 100
