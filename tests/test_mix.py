"""Batches whose images and labels are mixed, by both readers."""

import keras
import numpy as np
import pytest
from image_readers import epoch, readers, same

from keras_noisy.datasets import ImageDataset, pipeline
from keras_noisy.losses import CrossEntropy
from keras_noisy.metrics import LabelAccuracy

pytestmark = pytest.mark.once


def colored(count=48, size=8):
    """Images of a single gray, which encodes the sample and its label."""
    labels = np.random.default_rng(0).integers(4, size=count)
    grays = (5 * np.arange(count)).astype("uint8")
    images = np.broadcast_to(grays[:, None, None, None], (count, size, size, 3))
    return np.ascontiguousarray(images), labels


def levels(images):
    return np.round(images * 255 / 5, 3)


@readers
def test_mixup_is_a_mean_of_images_and_labels(reader):
    images, labels = colored()
    x, y = epoch(reader((images, labels), 16, training=True, mix="mixup"))
    assert y.shape == (48, 4) and y.dtype == np.float32
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    level = x[:, 0, 0, 0] * 255 / 5
    assert np.allclose(x, x[:, :1, :1, :1], atol=1e-6)
    # Each is a mean of two samples of its batch with the shares of its label.
    plain, own = epoch(reader((images, labels), 16, training=True))
    first = np.round(plain[:, 0, 0, 0] * 255 / 5)
    found = 0
    for row in range(48):
        part = slice(row // 16 * 16, row // 16 * 16 + 16)
        others = first[part]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (level[row] - others) / (first[row] - others)
        fits = [
            abs(s * np.eye(4)[own[row]] + (1 - s) * np.eye(4)[k] - y[row]).max()
            < 1e-3
            for s, k in zip(share, own[part], strict=True)
            if 0 <= s <= 1
        ]
        found += any(fits) or abs(level[row] - first[row]) < 1e-3
    assert found == 48
    largest = y.max(axis=1)
    assert largest.min() < 0.7 and np.std(largest) > 0.1


@readers
def test_cutmix_puts_a_box_of_another_image(reader):
    images, labels = colored()
    x, y = epoch(reader((images, labels), 16, training=True, mix="cutmix"))
    plain, own = epoch(reader((images, labels), 16, training=True))
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    boxes = 0
    for image, target, before, label in zip(x, y, plain, own, strict=True):
        inside = np.any(abs(image - before) > 1e-4, axis=-1)
        if not inside.any():  # Its partner is itself, or the box is empty.
            assert target[label] == pytest.approx(1)
            continue
        boxes += 1
        rows, columns = inside.any(1), inside.any(0)
        assert np.array_equal(inside, rows[:, None] & columns)
        level = levels(image[inside])
        assert np.all(level == level[0, 0])
        other = labels[round(float(level[0, 0]))]
        exact = np.zeros(4)
        exact[label] += 1 - inside.mean()
        exact[other] += inside.mean()
        np.testing.assert_allclose(target, exact, atol=1e-5)
    assert boxes > 24


@readers
def test_a_mix_follows_from_the_seed_and_is_resumed(reader):
    data = colored()
    arguments = {"training": True, "mix": "mixup"}
    one, two = (reader(data, 8, **arguments) for _ in range(2))
    first, second = epoch(one), epoch(one)
    assert same(first, epoch(two)) and same(second, epoch(two))
    assert not same(first, second)
    assert not same(first, epoch(reader(data, 8, seed=1, **arguments)))
    later = epoch(reader(data, 8, start=(1, 2), **arguments))
    assert same(later, [part[16:] for part in second])
    parts = [
        epoch(reader(data, 8, shard=(i, 2), **arguments)) for i in range(2)
    ]
    assert len(parts[0][0]) == len(parts[1][0]) == 24
    assert not np.array_equal(parts[0][1], parts[1][1])


@readers
def test_soft_labels_and_a_function_of_ones_own(reader):
    images, labels = colored()
    soft = np.random.default_rng(1).dirichlet(np.ones(4), 48)
    _, y = epoch(reader((images, soft), 16, training=True, mix="mixup"))
    assert y.shape == (48, 4)
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-5)
    _, y = epoch(reader((images, 0 * labels), 16, training=True, mix="mixup"))
    assert y.tolist() == [[1, 0]] * 48
    seeds = []

    def half(images, targets, seed):
        seeds.append(seed)
        return (images + images[::-1]) / 2, (targets + targets[::-1]) / 2

    _, y = epoch(
        reader((images, labels), 16, training=True, mix=half, num_classes=6)
    )
    _, own = epoch(reader((images, labels), 16, training=True))
    one_hot = np.eye(6)[own].reshape(3, 16, 6)
    exact = (one_hot + one_hot[:, ::-1]) / 2
    np.testing.assert_allclose(y.reshape(3, 16, 6), exact, atol=1e-6)
    assert seeds[0].shape == (2,)

    def wrong(images, targets, seed):
        return images, targets[:1]

    for mix in (wrong, lambda images, targets, seed: None):
        with pytest.raises(ValueError, match="in the shapes that it was given"):
            epoch(reader((images, labels), 16, training=True, mix=mix))


def test_a_dataset_of_tensorflow_is_mixed():
    tf = pytest.importorskip("tensorflow")
    images, labels = colored()
    given = tf.data.Dataset.from_tensor_slices((images, labels))
    with pytest.raises(ValueError, match=r"`num_classes`.*tf\.data\.Dataset"):
        pipeline(given, 16, training=True, mix="mixup")
    data = pipeline(given, 16, training=True, mix="cutmix", num_classes=4)
    assert epoch(data)[1].shape == (48, 4)
    # Its labels are known only when they are read.
    data = pipeline(given, 48, training=True, mix="cutmix", num_classes=3)
    with pytest.raises(tf.errors.OpError, match=r"in \[0, 3\).*filter"):
        epoch(data)
    soft = given.map(lambda image, label: (image, tf.one_hot(label, 4)))
    with pytest.raises(ValueError, match=r"(?s)`mix`.*\(16, 4\).*tf\.argmax"):
        pipeline(soft, 16, training=True, mix="cutmix", num_classes=4)


def test_a_mix_trains():
    data = ImageDataset(colored(), 16, training=True, mix="mixup")
    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    )
    loss = CrossEntropy(label_smoothing=0.1)
    model.compile("sgd", loss, metrics=[LabelAccuracy()])
    history = model.fit(data, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"][0])
    # Soft labels in training, integers afterwards.
    images, labels = colored()
    predicted = model.predict(images, verbose=0).argmax(-1)
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["accuracy"], np.mean(predicted == labels))
    mixed, targets = epoch(data)
    p = model.predict(mixed, verbose=0)
    metric = LabelAccuracy()
    metric.update_state(targets, p)
    matches = p.argmax(-1) == targets.argmax(-1)
    np.testing.assert_allclose(float(metric.result()), matches.mean())


@readers
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mix": "blend"}, r"`mix`.*mixup.*cutmix.*function.*'blend'"),
        ({"mix": "mixup", "training": False}, r"`mix`.*training=False"),
        ({"num_classes": 4}, r"`num_classes`.*None without `mix`"),
        ({"mix": "mixup", "num_classes": 2}, r"`labels`.*\[0, 2\)"),
        ({"mix": "mixup", "num_classes": 1}, r"`num_classes`"),
    ],
)
def test_what_cannot_be_mixed(reader, arguments, message):
    with pytest.raises(ValueError, match=message):
        reader(colored(), 16, **{"training": True, **arguments})
    images, labels = colored()
    for bad in (np.where(labels == 0, -1, labels), np.stack([labels] * 2, 1)):
        with pytest.raises(ValueError, match=r"`labels`.*`mix`"):
            reader((images, bad), 16, training=True, mix="mixup")
    of_one = {"mix": "mixup", "num_classes": int(labels.max()) + 1}
    with pytest.raises(ValueError, match="need `labels - 1`"):
        reader((images, labels + 1), 16, training=True, **of_one)
