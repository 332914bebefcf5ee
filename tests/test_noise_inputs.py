"""Noise takes labels and images of every kind, and names bad input."""

import keras
import numpy as np
import pytest
from columns import Column
from test_noise import CLEAN

from keras_noisy import noise

pytestmark = pytest.mark.once


def test_whole_floats_and_lists_are_labels():
    matrix = noise.symmetric(3, 0.5)
    expected = noise.corrupt(np.array([0, 1, 2]), matrix).labels
    half = np.arange(3, dtype="float16")
    for labels in ([0, 1, 2], [0.0, 1.0, 2.0], half):
        found = noise.corrupt(labels, matrix).labels
        assert np.array_equal(found, expected) and found.dtype == "int64"


def test_tensors_of_any_kind_are_numbers():
    half = keras.ops.full((2, 2), 0.5, "bfloat16")
    expected = noise.corrupt([0, 1] * 9, np.full((2, 2), 0.5)).labels
    found = noise.corrupt([0, 1] * 9, half).labels
    np.testing.assert_array_equal(found, expected)
    # Outputs of a network on PyTorch have a gradient.
    dense = keras.layers.Dense(2, activation="softmax")
    matrix = noise.transition_from_trusted(dense(np.eye(2)), [0, 1])
    np.testing.assert_allclose(matrix.sum(1), 1, 1e-6)


def test_a_message_does_not_print_all_of_a_list():
    parts = [np.full((4, 2), 0.5)] * 500 + [np.full((2, 2), 0.5)]
    with pytest.raises(ValueError, match=r"\(N, num_classes\)") as caught:
        noise.transition_from_trusted(parts, [0, 1])
    assert len(str(caught.value)) < 700


SYMMETRIC = noise.symmetric(3, 0.5)
IMAGES = np.zeros((3, 2, 2))
BAD = {
    "rate above 1": (noise.symmetric, (10, 1.5), r"rate.*\[0, 1\].*1\.5"),
    "negative rate": (noise.pair_flip, (10, -0.1), r"rate.*\[0, 1\]"),
    "NaN rate": (noise.symmetric, (10, float("nan")), r"rate.*\[0, 1\]"),
    "rate as text": (noise.asymmetric, ("mnist", "0.4"), r"rate.*number"),
    "one class": (noise.symmetric, (1, 0.5), r"num_classes.*>= 2"),
    "include_true": (noise.symmetric, (3, 0.5, "yes"), "True or False"),
    "unknown name": (noise.asymmetric, ("cifar", 0.4), r"cifar100_blocks"),
    "classes of name": (noise.asymmetric, ("mnist", 0.4, 5), "10 for 'mnist'"),
    "array": (noise.asymmetric, (np.array([1, 0]), 0.4, 2), "a mapping or"),
    "mapping alone": (noise.asymmetric, ({0: 1}, 0.4), r"num_classes"),
    "mapping outside": (
        noise.asymmetric,
        ({0: 5}, 0.4, 3),
        r"labels in \[0, 3\)",
    ),
    "label K": (
        noise.corrupt,
        ([0, 3, 7], SYMMETRIC),
        r"\[0, 3\).*labels\[1\]=3 \(2 of",
    ),
    "labels from 1": (
        noise.corrupt,
        ([1, 2, 3], SYMMETRIC),
        r"\(1 of 3\)\. Labels that count from 1 need `labels - 1`",
    ),
    "label -1": (noise.corrupt, ([0, -1], SYMMETRIC), r"labels\[1\]=-1"),
    "fraction": (noise.corrupt, ([0, 1.5], SYMMETRIC), r"whole.*=1\.5"),
    "NaN label": (noise.corrupt, ([0, np.nan], SYMMETRIC), r"whole.*nan"),
    "text": (noise.corrupt, (["cat"], SYMMETRIC), "Expected whole numbers"),
    "number as text": (noise.corrupt, ([0, "1"], SYMMETRIC), r"\[1\]='1' \("),
    "infinity": (noise.corrupt, ([0, np.inf], SYMMETRIC), r"whole.*=inf"),
    "ragged": (noise.corrupt, ([[0], [1, 2]], SYMMETRIC), r"shape \(N,\)"),
    "one-hot": (noise.corrupt, (np.eye(3), SYMMETRIC), "np.argmax"),
    "several labels": (
        noise.corrupt,
        ([[1, 1], [0, 1]], SYMMETRIC),
        r"shape=\(2, 2\)$",  # no advice to take the argmax
    ),
    "scalar": (noise.corrupt, (1, SYMMETRIC), "one entry per sample"),
    "rows": (noise.corrupt, ([0], 2 * SYMMETRIC), "sums to 2"),
    "columns": (noise.corrupt, ([0], [[0.5, 1], [0.5, 0]]), "row 0"),
    "negative": (noise.corrupt, ([0], [[1.5, -0.5], [0, 1]]), "negative"),
    "NaN matrix": (noise.corrupt, ([0], SYMMETRIC * np.nan), "row 0"),
    "not square": (noise.corrupt, ([0], SYMMETRIC[:2]), r"shape=\(2, 3\)"),
    "mode": (noise.corrupt, ([0], SYMMETRIC, "poisson"), '"exact"'),
    "seed": (noise.corrupt, ([0], SYMMETRIC, "exact", -1), "seed.*>= 0"),
    "seed of float": (noise.corrupt, ([0], SYMMETRIC, "exact", 1.0), "seed"),
    "images": (noise.instance_dependent, (IMAGES, [0], 0.4), "one image"),
    "pixels": (
        noise.instance_dependent,
        (IMAGES * np.nan, [0, 1, 2], 1.0),
        "finite",
    ),
    "a pixel": (
        noise.instance_dependent,
        (np.where(np.arange(12).reshape(3, 2, 2) == 8, np.inf, 0), [0] * 3, 1),
        r"images\[2\]$",
    ),
    "foreign shape": (
        noise.open_set,
        (IMAGES, np.zeros((3, 4, 4)), 0.4),
        r"shape \(2, 2\).*\(4, 4\)",
    ),
    "foreign type": (
        noise.open_set,
        (IMAGES, IMAGES.astype("uint8"), 0.4),
        "type float64",
    ),
    "paths": (noise.open_set, (["a.png"], ["b.png"], 0.4), r"\(N, \.\.\.\)"),
    "none": (noise.open_set, (IMAGES, IMAGES[:0], 0.4), "at least one"),
    "plot": (noise.plot_transition, (SYMMETRIC, ["a"]), "3 classes.*1 names"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_value_error_that_names_it(case):
    function, arguments, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_labels_of_every_container_and_kind_are_the_same():
    clean = CLEAN[:500] % 2
    matrix = noise.symmetric(2, 0.4)
    expected = noise.corrupt(clean, matrix).labels
    for labels in (
        clean.astype(bool),
        clean.astype(object),
        clean.astype(bool).astype(object),
        np.array([*clean.astype(bool)], object),
        clean.astype("float32"),
        clean.tolist(),
        Column(clean),
    ):
        found = noise.corrupt(labels, matrix).labels
        np.testing.assert_array_equal(found, expected)


def test_a_column_of_images_is_read_by_position():
    images = np.random.default_rng(0).random((300, 4, 4))
    clean = CLEAN[:300]
    expected = noise.instance_dependent(images, clean, 0.4)
    found = noise.instance_dependent(Column(images), Column(clean), 0.4)
    np.testing.assert_array_equal(found.labels, expected.labels)
    expected = noise.open_set(images, 1 + images, 0.4)
    found = noise.open_set(Column(images), Column(1 + images), 0.4)
    np.testing.assert_array_equal(found.images, expected.images)
    with pytest.raises(ValueError, match=r"`images`.*of one shape"):
        noise.open_set(Column([images[0], images[0, :2]]), images, 0.4)
