"""`load`: digits, noise by its name, downloads, wrong arguments."""

import keras
import numpy as np
import pytest

from keras_noisy import datasets
from keras_noisy.datasets import load


@pytest.mark.once
@pytest.mark.parametrize("num_classes", [10, 100, 1000])
def test_digits_are_numbers_of_every_class(num_classes):
    data = load("digits", num_classes=num_classes, num_samples=20_000)
    width = 8 * len(str(num_classes - 1))
    assert data.x_train.shape == (20_000, 8, width)
    assert data.x_test.shape == (5_000, 8, width)
    assert data.x_train.dtype == data.x_test.dtype == "uint8"
    assert data.x_train.max() == 255 and data.x_train.min() == 0
    assert set(data.y_clean) == set(range(num_classes))
    assert data.class_names[-1] == str(num_classes - 1)
    assert data.num_classes == num_classes
    assert not data.changed.any() and data.rate == 0


@pytest.mark.once
def test_digits_of_the_test_set_are_not_in_the_training_set():
    data = load("digits", num_classes=1000)
    seen = [
        {part.tobytes() for image in images for part in np.split(image, 3, 1)}
        for images in (data.x_train, data.x_test)
    ]
    assert len(seen[0]) > 1300 and len(seen[1]) > 350
    # Two people may have written the very same pixels.
    assert len(seen[0] & seen[1]) <= 2


@pytest.mark.once
def test_labels_read_from_left_to_right():
    one = load("digits", num_classes=10, num_samples=3_000)
    known = {
        image.tobytes(): label
        for image, label in zip(one.x_train, one.y_train, strict=True)
    }
    data = load("digits", num_classes=1000, num_samples=50)
    for image, label in zip(data.x_train, data.y_clean, strict=True):
        parts = [known[part.tobytes()] for part in np.split(image, 3, axis=1)]
        assert parts[0] * 100 + parts[1] * 10 + parts[2] == label


@pytest.mark.once
def test_seeds_repeat_and_differ():
    first, again, other = (
        load("digits", "symmetric", 0.4, seed, num_samples=500)
        for seed in (0, 0, 1)
    )
    for name in ("x_train", "y_train", "y_clean", "x_test", "y_test"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


@pytest.mark.once
def test_noise_does_not_change_the_images():
    clean = load("digits", num_samples=500)
    noisy = load("digits", "pair_flip", 0.45, num_samples=500)
    assert np.array_equal(clean.x_train, noisy.x_train)
    assert np.array_equal(clean.y_clean, noisy.y_clean)
    assert not np.array_equal(clean.y_train, noisy.y_train)
    assert np.array_equal(clean.y_test, noisy.y_test)


@pytest.mark.once
@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ("symmetric", 0.4),
        ("symmetric_include_true", 0.4 * 99 / 100),
        ("pair_flip", 0.4),
        ("instance_dependent", 0.4),
        (0.6 * np.eye(100) + 0.4 * np.eye(100)[::-1], 0.4),
    ],
    ids=str,
)
def test_measured_rates_match_the_protocol(noise, expected):
    rate = 0.4 if isinstance(noise, str) else 0
    data = load("digits", noise, rate, num_classes=100)
    deviation = np.sqrt(expected * (1 - expected) / len(data.y_train))
    assert abs(data.rate - expected) < 5 * deviation
    assert data.rate == data.changed.mean()


@pytest.mark.once
def test_exact_mode_reaches_the_rate():
    data = load("digits", "symmetric", 0.4, num_classes=10, mode="exact")
    for label in range(10):
        of_class = data.y_clean == label
        assert data.changed[of_class].sum() == round(0.4 * of_class.sum())


@pytest.mark.once
def test_images_are_channels_last_whatever_keras_prefers(monkeypatch):
    images = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype("uint8")

    def load_data():
        return (images, np.zeros((2, 1))), (images, np.zeros((2, 1)))

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    monkeypatch.setattr(
        keras.config, "image_data_format", lambda: "channels_first"
    )
    found = load("cifar10").x_train
    assert np.array_equal(found, np.moveaxis(images, 1, 3))


@pytest.mark.once
def test_a_failed_download_says_what_to_do(monkeypatch):
    def load_data():
        raise OSError("no route to host")

    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load_data)
    with pytest.raises(RuntimeError, match=r"no route to host.*`data_dir`"):
        load("fashion_mnist")


BAD = {
    "name": (("mnist",), {}, "fashion_mnist"),
    "noise": (("digits", "typo", 0.1), {}, "pair_flip"),
    "asymmetric digits": (("digits", "asymmetric", 0.1), {}, "pair_flip"),
    "rate": (("digits", "symmetric", 1.2), {}, r"rate.*\[0, 1\]"),
    "no rate": (("digits", "symmetric"), {}, "`rate`.*0, 1.*'symmetric' needs"),
    "no rate missing": (("multilabel_digits", "missing"), {}, "'missing' need"),
    "no rate, no noise": (("digits", "typo"), {}, "pair_flip"),
    "rate alone": (("digits", None, 0.2), {}, "without `noise`.*no label ch"),
    "rate of matrix": (
        ("digits", np.eye(1000), 0.2),
        {},
        "a matrix has its own rates",
    ),
    "size of matrix": (("digits", np.eye(10)), {}, r"\(1000, 1000\)"),
    "classes": (("digits",), {"num_classes": 50}, "10, 100 or 1000"),
    "samples": (("digits",), {"num_samples": 0}, "num_samples.*>= 1"),
    "mode": (("digits", "symmetric", 0.1), {"mode": "x"}, "bernoulli"),
    "mode without matrix": (
        ("digits", "instance_dependent", 0.1),
        {"mode": "exact"},
        "not that of a matrix",
    ),
    "seed": (("digits", None, 0.0, -1), {}, "seed.*>= 0"),
    "classes as float": (("digits",), {"num_classes": 10.0}, "an integer"),
    "other": (("cifar10",), {"num_classes": 10}, "of 'digits' alone"),
    "fewer": (("cifar10",), {"num_samples": 9}, "of 'digits' and 'multil"),
    "human": (("cifar10n", "noisy"), {}, "aggre"),
    "human rate": (("cifar10n", "worse", 0.2), {}, "human labels are not"),
}


@pytest.mark.once
@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case):
    arguments, keywords, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        load(*arguments, **keywords)


@pytest.mark.once
def test_what_is_public():
    assert {"load", "NoisyDataset"} <= set(datasets.__all__)
