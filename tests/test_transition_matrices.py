"""Transition matrices of the papers, and their picture."""

import numpy as np
import pytest
import real_data
from test_noise import MATRICES

from keras_noisy import noise

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", MATRICES)
def test_rows_sum_to_one(name):
    assert np.all(MATRICES[name] >= 0)
    np.testing.assert_allclose(MATRICES[name].sum(axis=1), 1, rtol=1e-12)


def test_symmetric_noise_with_and_without_the_true_class():
    without = noise.symmetric(100, 0.5)
    np.testing.assert_allclose(np.diag(without), 0.5)
    np.testing.assert_allclose(without[3, 7], 0.5 / 99)
    included = noise.symmetric(100, 0.5, include_true=True)
    np.testing.assert_allclose(1 - np.diag(included), 0.5 * 99 / 100)
    np.testing.assert_allclose(included[3, 7], 0.5 / 100)
    assert np.array_equal(noise.symmetric(10, 1.0).diagonal(), np.zeros(10))


def test_flips_of_the_papers():
    names = {
        "cifar10": "airplane automobile bird cat deer dog frog horse ship "
        "truck",
        "fashion_mnist": "T-shirt Trouser Pullover Dress Coat Sandal Shirt "
        "Sneaker Bag Boot",
        "mnist": "0 1 2 3 4 5 6 7 8 9",
    }
    flips = {
        "cifar10": "truck>automobile bird>airplane deer>horse cat>dog dog>cat",
        "fashion_mnist": "Boot>Sneaker Sneaker>Sandal Pullover>Shirt "
        "Coat>Dress Dress>Coat",
        "mnist": "7>1 2>7 5>6 6>5 3>8",
    }
    for name, text in flips.items():
        classes = names[name].split()
        expected = np.eye(10)
        for flip in text.split():
            true, wrong = map(classes.index, flip.split(">"))
            expected[true, [true, wrong]] = 0.7, 0.3
        np.testing.assert_allclose(noise.asymmetric(name, 0.3), expected)


def test_blocks_of_cifar100_are_five_labels_in_a_circle():
    matrix = noise.asymmetric("cifar100_blocks", 0.25)
    for label in range(100):
        wrong = label // 5 * 5 + (label + 1) % 5
        assert matrix[label, wrong] == 0.25
        assert matrix[label, label] == 0.75


def test_superclasses_of_cifar100_are_those_of_the_data_set():
    coarse = real_data.cifar100_labels()["fine_to_coarse"]
    matrix = noise.asymmetric("cifar100_superclass", 1.0)
    wrong = matrix.argmax(axis=1)
    assert np.array_equal(coarse[wrong], coarse)
    for superclass in range(20):
        members = np.flatnonzero(coarse == superclass)
        assert np.array_equal(wrong[members], np.roll(members, -1))


def test_a_mapping_of_ones_own_leaves_other_classes_clean():
    matrix = noise.asymmetric({0: 2}, 0.1, num_classes=4)
    assert np.array_equal(matrix[1:], np.eye(4)[1:])
    np.testing.assert_allclose(matrix[0], [0.9, 0, 0.1, 0])


def test_the_picture_shows_the_matrix():
    figure = noise.plot_transition(
        MATRICES["cifar10"], [f"class {i}" for i in range(10)]
    )
    axes = figure.axes[0]
    np.testing.assert_array_equal(
        axes.images[0].get_array(), MATRICES["cifar10"]
    )
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("0.6") == 5 and texts.count("0.4") == 5
    assert axes.get_xticklabels()[3].get_text() == "class 3"


def test_many_classes_have_no_numbers_in_the_picture():
    assert not noise.plot_transition(noise.symmetric(100, 0.2)).axes[0].texts


def test_long_names_wrap_and_keep_within_the_picture():
    names = {1: "n02 $x$ " + "a long name " * 9, 0: "without_a_space" * 9}
    figure = noise.plot_transition(noise.symmetric(2, 0.2), names)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    texts = [label.get_text() for label in labels]
    assert texts[0].startswith("without_a_space") and texts[:2] == texts[2:]
    for text in texts:
        lines = text.split("\n")
        assert len(lines) == 2 and lines[1].endswith("…")
        assert max(map(len, lines)) <= 24
    for label in labels:
        box = label.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1
    for bad in ({1: "a", 2: "b"}, {"a": 0, "b": 1}, {"a", "b"}, "ab"):
        with pytest.raises(ValueError, match="`class_names`"):
            noise.plot_transition(noise.symmetric(2, 0.2), bad)
