"""Images replaced by those of another data set."""

import numpy as np
import pytest
import real_data
from test_noise import assert_binomial

from keras_noisy import noise

pytestmark = pytest.mark.once


def test_open_set_replaces_the_share_of_images():
    images = np.arange(100)[:, None] * np.ones((1, 4))
    others = -1 - np.arange(50)[:, None] * np.ones((1, 4))
    found, changed, rate = noise.open_set(images, others, 0.35, seed=1)
    assert rate == 0.35 and changed.sum() == 35
    assert np.array_equal(found[~changed], images[~changed])
    replaced = found[changed][:, 0]
    assert np.all(replaced < 0) and len(np.unique(replaced)) == 35
    assert images.min() == 0


def test_which_images_are_replaced_is_drawn_evenly():
    hits, used = np.zeros(40), np.zeros(40)
    images = np.zeros((40, 1))
    for seed in range(500):
        found = noise.open_set(images, 1.0 + np.arange(40)[:, None], 0.25, seed)
        hits += found.changed
        used[found.images[found.changed, 0].astype(int) - 1] += 1
    assert_binomial(hits / 500, np.full(40, 0.25), 500)
    assert_binomial(used / 500, np.full(40, 0.25), 500)


def test_open_set_uses_images_again_only_when_it_must():
    images, others = np.zeros((90, 2)), 1 + np.arange(20.0).repeat(2)
    found = noise.open_set(images, others.reshape(20, 2), 0.5).images
    counts = np.unique(found[found[:, 0] > 0, 0], return_counts=True)[1]
    assert counts.min() == 2 and counts.max() == 3


def test_open_set_of_real_images():
    images = real_data.cifar100_images("test", 500)
    others = real_data.fashion_mnist("t10k")[0][:500]
    padded = np.pad(others, ((0, 0), (2, 2), (2, 2)))[..., None]
    padded = padded.repeat(3, axis=-1)
    found, changed, rate = noise.open_set(images, padded, 0.2)
    assert rate == 0.2 and found.dtype == "uint8"
    assert not found[changed][:, :2].any()
