"""Wrong labels follow their protocol, the same on every machine."""

import hashlib
import sys
import time
import tracemalloc

import keras
import numpy as np
import pytest
import real_data

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


# Transition matrices


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


# Corruption


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


def test_whole_floats_and_lists_are_labels():
    matrix = noise.symmetric(3, 0.5)
    expected = noise.corrupt(np.array([0, 1, 2]), matrix).labels
    for labels in ([0, 1, 2], [0.0, 1.0, 2.0]):
        found = noise.corrupt(labels, matrix).labels
        assert np.array_equal(found, expected) and found.dtype == "int64"


def test_no_labels_and_no_noise():
    assert noise.corrupt(np.zeros(0, int), noise.symmetric(3, 0.5)).rate == 0
    noisy, changed, rate = noise.corrupt(CLEAN, np.eye(10), "exact")
    assert np.array_equal(noisy, CLEAN) and not changed.any() and rate == 0
    for empty in (np.zeros((0, 3), int), np.zeros(0, int)):
        noisy, changed, rate = noise.flip_labels(empty, 0.5)
        assert noisy.shape == changed.shape == empty.shape and rate == 0


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


# Noise that depends on the image


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


# Open set


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


# Bad input

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
    "label -1": (noise.corrupt, ([0, -1], SYMMETRIC), r"labels\[1\]=-1"),
    "fraction": (noise.corrupt, ([0, 1.5], SYMMETRIC), r"whole.*=1\.5"),
    "NaN label": (noise.corrupt, ([0, np.nan], SYMMETRIC), r"whole.*nan"),
    "text": (noise.corrupt, (["cat"], SYMMETRIC), "Expected whole numbers"),
    "infinity": (noise.corrupt, ([0, np.inf], SYMMETRIC), r"whole.*=inf"),
    "ragged": (noise.corrupt, ([[0], [1, 2]], SYMMETRIC), r"shape \(N,\)"),
    "one-hot": (noise.corrupt, (np.eye(3), SYMMETRIC), "np.argmax"),
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


# Containers


class Column:
    """A column of a table whose index is not the order of its rows."""

    def __init__(self, values):
        self.values = list(values)
        self.shape = (len(self.values),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        return self.values[-1 - key]

    def __iter__(self):
        return iter(self.values)

    def to_numpy(self):
        return self.__array__()

    def __array__(self, dtype=None, copy=None):
        if not isinstance(self.values[0], np.ndarray):
            return np.array(self.values, dtype)
        found = np.empty(len(self.values), object)
        found[:] = self.values
        return found


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


# The picture


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
