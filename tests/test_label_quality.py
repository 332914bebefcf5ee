"""LabelQuality: its scores, and whether they find the noise."""

import csv
import math

import keras
import numpy as np
import pytest
import real_data
from noisy_blobs import blobs, classifier, fit
from shown_epochs import (
    EPOCHS,
    LABELS,
    SCORES,
    probabilities,
    seen,
    shown,
)

from keras_noisy.callbacks import LabelQuality
from keras_noisy.losses import ELR, with_index


@pytest.mark.once
def test_scores_are_their_formulas():
    quality, _ = shown(EPOCHS, LABELS)
    last = [math.log(6), math.log(8), math.log(2), -math.log(7 / 2)]
    assert quality.scores("margin") == pytest.approx(last, rel=1e-5)
    loss = [-math.log(p) for p in (0.1, 0.1, 0.3, 0.7)]
    assert quality.scores("loss") == pytest.approx(loss, rel=1e-5)
    first = (math.log(7 / 2) - math.log(7 / 2) + math.log(2) - math.log(6)) / 4
    mean = quality.scores("area_under_margin")
    assert mean == pytest.approx(
        [
            -first,
            (math.log(6) + math.log(5 / 2) + math.log(2) + math.log(8)) / 4,
            (-math.log(7 / 2) * 2 + math.log(2) * 2) / 4,
            (-math.log(8) * 3 - math.log(7 / 2)) / 4,
        ],
        rel=1e-5,
    )
    assert np.array_equal(quality.scores(), mean)
    # Twice forgotten, never learned in four epochs, once, never forgotten.
    assert quality.scores("forgetting").tolist() == [2, 4, 1, 0]
    assert quality.suspects(4).tolist() == [1, 0, 2, 3]
    assert quality.suspects(2, score="forgetting").tolist() == [1, 0]


@pytest.mark.once
def test_logits_give_the_scores_of_their_probabilities():
    offset = np.random.default_rng(0).normal(size=(4, 4, 1)) * 50
    logits = np.log(EPOCHS) + offset
    quality, _ = shown(logits, LABELS, from_logits=True)
    expected, _ = shown(EPOCHS, LABELS)
    for score in SCORES:
        assert quality.scores(score) == pytest.approx(
            expected.scores(score), rel=1e-4, abs=1e-4
        )


@pytest.mark.once
def test_scores_are_copies():
    quality, _ = shown(EPOCHS, LABELS)
    for score in SCORES:
        quality.scores(score)[:] = np.nan
        assert np.all(np.isfinite(quality.scores(score)))


@pytest.mark.once
def test_ties_are_broken_by_the_area_under_the_margin():
    # No label is ever predicted: all have the same forgetting score.
    doubts = np.array([0.55, 0.95, 0.65, 0.85, 0.75])
    epoch = np.stack([1 - doubts, doubts], axis=1)
    quality, _ = shown([epoch, epoch], np.zeros(5, int))
    assert quality.scores("forgetting").tolist() == [2] * 5
    assert quality.suspects(5, "forgetting").tolist() == [1, 3, 4, 2, 0]


@pytest.mark.once
def test_probabilities_of_zero_and_one_can_be_sorted():
    epoch = [[0, 1, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]
    quality, _ = shown([epoch, epoch], np.zeros(4, int))
    for score in SCORES:
        assert np.all(np.isfinite(quality.scores(score)))
    assert quality.suspects(4)[-2:].tolist() == [2, 1]
    # Logits have no such limit.
    epoch = [[0, 400, 0], [0, 500, 0]]
    quality, _ = shown([epoch], [0, 0], from_logits=True)
    assert quality.scores("margin").tolist() == [400, 500]
    assert quality.suspects(2).tolist() == [1, 0]


@pytest.mark.once
def test_start_epoch_leaves_out_earlier_epochs_of_the_scores_alone():
    quality, history = shown(EPOCHS, LABELS, start_epoch=2, clean_labels=LABELS)
    expected, _ = shown(EPOCHS[2:], LABELS)
    for score in SCORES:
        assert np.array_equal(quality.scores(score), expected.scores(score))
    assert [set(logs) for logs in history] == [
        {"memorization_rate", "clean_accuracy"}
    ] * 4
    quality, _ = shown(EPOCHS, LABELS, start_epoch=2, first_epoch=2)
    assert np.array_equal(quality.scores(), shown(EPOCHS, LABELS)[0].scores())


@pytest.mark.once
def test_rates_are_those_of_the_clean_labels():
    clean = [0, 1, 0, -1]
    _, history = shown(EPOCHS, LABELS, clean_labels=clean)
    rates = [logs["memorization_rate"] for logs in history]
    # Wrong labels: 0, 1 and 2 of the samples 1, 2 and 3.
    assert rates == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3])
    accuracy = [logs["clean_accuracy"] for logs in history]
    assert accuracy == [2 / 4, 1 / 4, 3 / 4, 1 / 4]
    assert all(type(v) is float for logs in history for v in logs.values())
    _, history = shown(EPOCHS, LABELS, clean_labels=LABELS)
    assert {logs["memorization_rate"] for logs in history} == {0.0}


@pytest.mark.once
def test_precision_and_recall_are_those_of_the_suspects():
    quality, _ = shown(EPOCHS, LABELS, clean_labels=[0, 1, 0, 2])
    assert quality.precision_recall() == (0.5, 0.5)  # suspects 1 and 0
    assert quality.precision_recall(1) == (1, 0.5)
    assert quality.precision_recall(3, "loss") == (2 / 3, 1)


@pytest.mark.once
def test_suspects_of_one_label():
    quality, _ = shown(EPOCHS, LABELS)
    assert quality.suspects(10, label=0).tolist() == [1, 0]
    assert quality.suspects(1, label=2).tolist() == [3]
    with pytest.raises(ValueError, match="a label that `y` has"):
        quality.suspects(1, label=7)


def test_half_precision_probabilities_are_probabilities():
    p, labels = probabilities()
    expected = seen(p, labels).scores()
    for dtype in ("float16", "bfloat16"):
        scores = seen(p, labels, dtype=dtype).scores()
        assert scores == pytest.approx(expected, abs=0.05)


def test_finds_wrong_labels_and_leaves_the_training_as_it_is(tmp_path):
    x, labels, clean = blobs()
    alone = classifier()
    fit(alone, x, labels, [], epochs=5)

    quality = LabelQuality(x, labels, clean)
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras",
        "clean_accuracy",
        mode="max",
        save_best_only=True,
    )
    model = classifier()
    history = fit(model, x, labels, [quality, logger, keep], epochs=5)
    for ours, theirs in zip(
        model.get_weights(), alone.get_weights(), strict=True
    ):
        assert np.array_equal(ours, theirs)
    for score in ("area_under_margin", "margin", "loss"):
        assert quality.precision_recall(score=score)[0] > 0.85
    assert len(history["clean_accuracy"]) == len(history["loss"]) == 5
    assert history["clean_accuracy"][-1] > 0.9
    assert history["memorization_rate"][-1] < 0.2
    assert (tmp_path / "best.keras").exists()
    with (tmp_path / "log.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["clean_accuracy"]) == history["clean_accuracy"][-1]


def test_scores_are_those_of_evaluation_and_go_on_over_several_fits():
    x, labels, _ = blobs()
    quality, margins = LabelQuality(x, labels, batch_size=70), []
    model, index = classifier(), np.arange(len(x))
    for _ in range(2):
        fit(model, x, labels, [quality], epochs=1)
        p = model.predict(x, verbose=0).astype("float64")
        given = np.log(p[index, labels])
        p[index, labels] = 0
        margins.append(given - np.log(p.max(axis=1)))
    expected = -np.mean(margins, axis=0)
    assert quality.scores() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_works_with_the_labels_and_the_memory_of_elr():
    x, labels, clean = blobs()
    elr = ELR(num_samples=len(x))
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, elr.memory(outputs))
    model.compile(keras.optimizers.SGD(0.3), elr)
    quality = LabelQuality(x, with_index(labels), clean)
    fit(model, x, with_index(labels), [quality], epochs=5)
    assert quality.precision_recall()[0] > 0.85


@pytest.mark.once
def test_takes_several_inputs():
    x, labels, clean = blobs()
    sides = ("left", "right")
    inputs = {side: keras.Input((2,), name=side) for side in sides}
    joined = keras.layers.Concatenate()([inputs["left"], inputs["right"]])
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(joined))
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy")
    parts = {"left": x[:, :2], "right": x[:, 2:]}
    quality = LabelQuality(parts, labels, clean)
    fit(model, parts, labels, [quality], epochs=5)
    assert quality.precision_recall()[0] > 0.85
    with pytest.raises(ValueError, match="`images`"):
        quality.plot(1)


# The scores are NumPy; how networks learn is tested elsewhere.
@pytest.mark.once
def test_finds_symmetric_noise_in_real_images():
    images, clean = real_data.fashion_mnist("train")
    images, clean = images[:6000] / np.float32(255), clean[:6000].astype(int)
    rng = np.random.default_rng(0)
    other = (clean + rng.integers(1, 10, len(clean))) % 10
    labels = np.where(rng.random(len(clean)) < 0.4, other, clean)
    model = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss)
    quality = LabelQuality(images, labels, clean, from_logits=True)
    fit(model, images, labels, [quality], 5, batch_size=100)
    for score in SCORES:
        precision, recall = quality.precision_recall(score=score)
        assert precision == recall > 0.8


# The scores are NumPy; how networks learn is tested elsewhere.
@pytest.mark.once
@pytest.mark.slow
def test_finds_human_mistakes_in_real_images():
    count = 5000
    human = real_data.cifar_n_labels()
    labels = human["c100_noisy_label"][:count]
    clean = human["c100_clean_label"][:count]
    images = real_data.cifar100_images("train", count)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([layers.Rescaling(1 / 64, -2)])
    for filters, size in ((32, 5), (64, 3)):
        model.add(layers.Conv2D(filters, size, 2, "same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.8))
        model.add(layers.ReLU())
    model.add(layers.AveragePooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(100, "softmax"))
    model.compile(
        keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy"
    )
    quality = LabelQuality(images, labels, clean)
    fit(model, images, labels, [quality], 5, batch_size=100)
    # By chance it is the share of wrong labels, 40 %.
    for score in SCORES:
        assert quality.precision_recall(score=score)[0] > 0.47
        assert quality.precision_recall(300, score)[0] > 0.55
