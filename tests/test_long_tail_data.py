"""Long tails, weights of classes and samples, and samplers by weight."""

import json

import helpers
import keras
import numpy as np
import pytest

from keras_noisy.callbacks import Resume
from keras_noisy.datasets import (
    ImageDataset,
    class_weights,
    long_tail,
    pipeline,
    sample_weights,
)
from keras_noisy.layers import CosineDense, GaussianCloud
from keras_noisy.losses import CrossEntropy

GOLDEN = json.loads((helpers.TESTS / "golden_gcl.json").read_text())
LABELS = np.repeat([0, 1, 2, 3], [100, 30, 10, 3])


@pytest.mark.once
def test_counts_of_the_published_profiles():
    golden = GOLDEN["long_tail_counts"]
    ten, hundred = np.arange(50_000) % 10, np.arange(50_000) % 100
    for imbalance in (0.02, 0.01, 0.005):
        found = np.bincount(ten[long_tail(ten, imbalance)])
        assert found.tolist() == golden[f"cifar10_{imbalance:g}"]
        found = np.bincount(hundred[long_tail(hundred, imbalance)])
        wanted = golden[f"cifar100_{imbalance:g}"]
        assert found[:3].tolist() == wanted["head"]
        assert found[-3:].tolist() == wanted["tail"]
        assert found.sum() == wanted["total"]
    found = np.bincount(ten[long_tail(ten, 0.01, "step")])
    assert found.tolist() == golden["step_cifar10_0.01"]


@pytest.mark.once
def test_a_long_tail_keeps_the_samples_of_the_published_program():
    labels = np.random.default_rng(0).integers(3, size=300)
    state = np.random.RandomState(0)
    most = np.bincount(labels)[0]
    wanted = []
    for k in range(3):
        samples = np.where(labels == k)[0]
        state.shuffle(samples)
        wanted += samples[: int(most * 0.1 ** (k / 2.0))].tolist()
    found = long_tail(labels, 0.1)
    assert found.tolist() == sorted(wanted)
    assert long_tail(labels, 0.1, seed=1).tolist() != found.tolist()
    # A first class that is small sets the size of all.
    few = np.repeat([0, 1], [10, 90])
    assert np.bincount(few[long_tail(few, 0.5)]).tolist() == [10, 5]
    few = np.repeat([0, 1], [90, 10])
    assert np.bincount(few[long_tail(few, 0.5)]).tolist() == [20, 10]
    # 55 / 0.55 is less than 100 in floating point.
    exact = np.repeat([0, 1], [100, 55])
    assert len(long_tail(exact, 0.55)) == len(exact)


@pytest.mark.once
@pytest.mark.parametrize("name", ["small", "cifar10_0.01"])
def test_weights_of_the_published_samplers(name):
    golden = GOLDEN["samplers"][name]
    labels = np.repeat(np.arange(len(golden["counts"])), golden["counts"])
    for method in ("balanced", "effective", "class_based_effective"):
        wanted = golden[method]
        found = class_weights(labels, method, normalize=False)
        weights = np.array([*found.values()])
        # Their program has `b_k` in float32, as is shown below.
        rtol = 1e-4 if method == "class_based_effective" else 1e-6
        np.testing.assert_allclose(
            weights, wanted["weight_per_sample"], rtol=rtol
        )
        share = weights * golden["counts"]
        np.testing.assert_allclose(
            share / share.sum(), wanted["class_probability"], rtol=rtol
        )
        even = class_weights(labels, method)
        mean = sample_weights(labels, even).mean()
        assert mean == pytest.approx(1, rel=1e-5)
    counts = np.array(golden["counts"])
    rarity = np.float32(np.log(counts[0])) - np.log(counts).astype("float32")
    base = np.float32(0.9999) + np.float32(1e-5) * rarity / rarity.max()
    base = base.astype("float64")
    np.testing.assert_allclose(
        (1 - base) / (1 - base**counts), wanted["weight_per_sample"], rtol=1e-6
    )


@pytest.mark.once
def test_weights_of_classes_that_are_missing_or_equal():
    assert class_weights([0, 2], num_classes=4) == {0: 1, 1: 0, 2: 1, 3: 0}
    for method in ("effective", "class_based_effective"):
        found = class_weights([0, 1], method)
        assert found == pytest.approx({0: 1.0, 1: 1.0})


def test_dense_labels_are_weighed_by_class():
    """The result of Keras' own `class_weight`, where it works."""
    labels = np.array([[[0, 1], [2, 9]]] * 2)
    weights = sample_weights(labels, [1.0, 2.0, 3.0], ignore_class=9)
    assert weights.tolist() == [[[1, 2], [3, 0]]] * 2
    assert sample_weights([0, 5], {0: 3.0}).tolist() == [3, 1]
    for labels in (np.array([0, 1], object), np.array([0.0, 1.0])):
        assert sample_weights(labels, [2.0, 3.0]).tolist() == [2, 3]
    y = np.array([0, 1, 1, 0])
    x = np.eye(2, dtype="float32")[[0, 1, 0, 0]]
    results = []
    for arguments in (
        {"class_weight": {0: 0.5, 1: 2.0}},
        {"sample_weight": sample_weights(y, {0: 0.5, 1: 2.0})},
    ):
        inputs = keras.Input((2,))
        layer = keras.layers.Dense(2, "softmax", kernel_initializer="ones")
        model = keras.Model(inputs, layer(inputs))
        model.compile("sgd", "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=4, verbose=0, **arguments)
        results += history.history["loss"]
    assert results[0] == pytest.approx(results[1])


@pytest.mark.once
def test_mistakes_are_named():
    for bad in (0, 100, "few"):
        with pytest.raises(ValueError, match=r"`imbalance`.*imbalance=0\.01"):
            long_tail(LABELS, bad)
    with pytest.raises(ValueError, match="leaves every class a sample"):
        long_tail([0, 0, 1, 1], 0.1)
    with pytest.raises(ValueError, match=r"np\.unique"):
        long_tail([0, 2, 2], 0.5)
    with pytest.raises(ValueError, match="`profile`"):
        long_tail(LABELS, 0.1, "linear")
    with pytest.raises(ValueError, match="`method`"):
        class_weights(LABELS, "even")
    with pytest.raises(ValueError, match="`labels`"):
        class_weights([])
    for bad in ([1.0, -1.0], {0: np.inf}, [[1.0]], "abc", {0.5: 1.0}, 3):
        with pytest.raises(ValueError, match="`class_weight`"):
            sample_weights([0, 1], bad)
    with pytest.raises(ValueError, match="integer classes as keys"):
        sample_weights([0, 1], {"0": 0.5, "1": 2.0})  # as JSON has them
    for bad, message in (
        (["a", "b"], r"np\.unique"),
        ([[0, 1], [1, -1]], "1 of 4.*pass `ignore_class=-1`"),
        ([0, 0.5], r"\[1\]=0\.5"),
    ):
        with pytest.raises(ValueError, match=message):
            sample_weights(bad, [1.0, 1.0])
    with pytest.raises(ValueError, match="up to 3"):
        sample_weights([0, 3], [1.0, 1.0])
    with pytest.raises(ValueError, match="labels of at least 0"):
        sample_weights([0, -1], [1.0, 1.0])
    images = np.zeros((4, 2, 2, 1), "uint8"), np.arange(4)
    for bad in ([1, 1], [1, 1, 1, -1], [0] * 4, np.eye(4), ["a"] * 4):
        with pytest.raises(ValueError, match="`sample_weight`"):
            ImageDataset(images, 2, training=True, sample_weight=bad)
    with pytest.raises(ValueError, match="training=False"):
        ImageDataset(images, 2, sample_weight=[1, 1, 1, 1])


def pictures(count):
    """Each image encodes its number."""
    images = np.zeros((count, 1, 1, 3), "uint8")
    images[:, 0, 0, 0] = np.arange(count)
    return images


def epochs(reader, data, number, **arguments):
    """Labels of each batch of some epochs."""
    arguments = {"training": True, "seed": 3, "batch_size": 13, **arguments}
    if reader is pipeline:
        batches = pipeline(data, **arguments)
        return [
            [labels.numpy().tolist() for _, labels in batches]
            for _ in range(number)
        ]
    batches, found = ImageDataset(data, **arguments), []
    for _ in range(number):
        found.append([batches[i][1].tolist() for i in range(len(batches))])
        batches.on_epoch_end()
    return found


@pytest.mark.once
def test_both_readers_draw_by_weight_alike_again_and_from_a_start():
    pytest.importorskip("tensorflow")
    data = pictures(143), LABELS
    weights = sample_weights(LABELS, class_weights(LABELS))
    found = epochs(ImageDataset, data, 60, sample_weight=weights)
    assert [len(epoch) for epoch in found] == [11] * 60
    shares = np.bincount(np.ravel(found)) / np.size(found)
    np.testing.assert_allclose(shares, 0.25, atol=0.02)
    assert found[0] != found[1]
    # A sample of weight 0 is never drawn, a single other one always.
    only = epochs(ImageDataset, data, 1, sample_weight=np.arange(143) == 142)
    assert set(np.ravel(only)) == {3}
    same = epochs(pipeline, data, 3, sample_weight=weights)
    assert same == found[:3]
    for reader in (ImageDataset, pipeline):
        later = epochs(reader, data, 2, sample_weight=weights, start=(1, 4))
        assert later == [found[1][4:], found[2]]
    parts = [
        epochs(
            ImageDataset,
            (data[0], np.arange(143)),
            1,
            sample_weight=weights,
            shard=(i, 2),
            batch_size=1,
        )[0]
        for i in range(2)
    ]
    whole = epochs(
        ImageDataset,
        (data[0], np.arange(143)),
        1,
        sample_weight=weights,
        batch_size=1,
    )[0]
    assert parts[0] == whole[::2][:71] and parts[1] == whole[1::2]


@pytest.mark.once
def test_a_tf_data_set_is_not_drawn_by_weight():
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((pictures(4), np.arange(4)))
    with pytest.raises(ValueError, match="`sample_weight`"):
        pipeline(data, 2, training=True, sample_weight=[1, 1, 1, 1])


def test_a_run_that_draws_by_weight_is_resumed(tmp_path):
    """Two epochs and two more equal four at once, also in the cloud's draws."""

    def run(folder, epochs):
        keras.utils.set_random_seed(0)
        resume = Resume(folder)
        data = ImageDataset(
            (pictures(143), LABELS),
            13,
            training=True,
            start=resume.start,
            sample_weight=sample_weights(LABELS, class_weights(LABELS)),
        )
        model = keras.Sequential(
            [keras.Input((1, 1, 3)), keras.layers.Flatten()]
        )
        model.add(CosineDense(4, cloud=GaussianCloud(np.bincount(LABELS))))
        model.compile("sgd", CrossEntropy(from_logits=True))
        model.fit(
            data,
            epochs=epochs,
            initial_epoch=resume.initial_epoch,
            shuffle=False,
            callbacks=[resume],
            verbose=0,
        )
        return model.get_weights()

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    for one, two in zip(whole, run(tmp_path / "parts", 4), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)
