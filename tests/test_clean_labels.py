"""Metrics that know the true labels, and the loss that must not."""

import copy

import keras
import numpy as np
import pytest

from keras_noisy import losses, metrics, noise
from keras_noisy.losses import GivenLabelLoss, with_clean_labels, with_index

GIVEN = np.array([0, 1, 2, 2, 1, 0])
CLEAN = np.array([0, 1, 2, 0, 0, 1])
# Right, right, wrong, memorized, clean, neither.
PREDICTED = np.eye(3)[[0, 1, 0, 2, 0, 2]]


def both(**labels):
    found = {}
    for name in ("CleanAccuracy", "MemorizationRate"):
        metric = getattr(metrics, name)()
        metric.update_state(y_pred=PREDICTED, **labels)
        found[name] = float(metric.result())
    return found


def test_values_by_hand():
    found = both(y_true=with_clean_labels(GIVEN, CLEAN))
    assert found == pytest.approx(
        {"CleanAccuracy": 3 / 6, "MemorizationRate": 1 / 3}
    )


def test_weights_count():
    weight = np.array([1, 0, 0, 2, 1, 1])
    found = both(
        y_true=with_clean_labels(GIVEN, CLEAN), sample_weight=weight[:, None]
    )
    assert found == pytest.approx(
        {"CleanAccuracy": 2 / 5, "MemorizationRate": 2 / 4}
    )


@pytest.mark.once
def test_plain_labels_are_clean():
    for labels in (GIVEN, GIVEN[:, None]):
        found = both(y_true=labels)
        assert found == pytest.approx(
            {"CleanAccuracy": 3 / 6, "MemorizationRate": 0}
        )


@pytest.mark.once
def test_samples_without_a_label_are_not_corrupted():
    given = np.where(np.arange(6) < 4, GIVEN, -1)
    found = both(y_true=with_clean_labels(given, CLEAN))
    assert found["MemorizationRate"] == 1


@pytest.mark.once
def test_batches_add_up_and_states_reset():
    labels = with_clean_labels(GIVEN, CLEAN)
    metric = metrics.MemorizationRate()
    for start in range(0, 6, 2):
        part = slice(start, start + 2)
        metric.update_state(labels[part], PREDICTED[part])
    assert float(metric.result()) == pytest.approx(1 / 3)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_indices_between_the_labels_are_not_looked_at():
    triples = with_clean_labels(with_index(GIVEN), CLEAN)
    assert both(y_true=triples) == both(y_true=triples[:, [0, 2]])
    # Among three classes a triple has the shape of a one-hot label.
    for labels, sums_to_one in ((np.eye(3)[GIVEN], True), (triples, False)):
        metric = metrics.LabelAccuracy()
        metric.update_state(labels, PREDICTED)
        assert np.isfinite(float(metric.result())) == sums_to_one


@pytest.mark.once
def test_metrics_are_saved():
    for name in ("CleanAccuracy", "MemorizationRate"):
        metric = getattr(metrics, name)(name="own")
        config = keras.metrics.serialize(metric)
        assert keras.metrics.deserialize(config).name == "own"


@pytest.mark.once
def test_labels_of_wrong_shape_are_refused():
    for metric in (metrics.CleanAccuracy(), metrics.MemorizationRate()):
        for y_true in (np.zeros((6, 4)), np.zeros((6, 1, 1))):
            with pytest.raises(ValueError, match=r"Expected integer `y_true`"):
                metric.update_state(y_true, PREDICTED)


@pytest.mark.once
def test_clean_labels_stand_beside_the_given_ones():
    pairs = with_clean_labels(GIVEN, CLEAN)
    assert np.array_equal(pairs, np.stack([GIVEN, CLEAN], axis=1))
    assert np.array_equal(pairs, with_clean_labels(GIVEN[:, None], list(CLEAN)))
    triples = with_clean_labels(with_index(GIVEN), CLEAN)
    assert np.array_equal(triples[:, 1], np.arange(6))
    assert np.array_equal(triples[:, [0, 2]], pairs)
    several = np.array([[0, True], [1, False]])
    table = np.array([[0, True], [1, False]], object)  # columns of two types
    assert np.array_equal(
        with_clean_labels(table, table), with_clean_labels(several, several)
    )


@pytest.mark.parametrize(
    ("given", "clean", "message"),
    [
        (GIVEN[:5], CLEAN, "6 clean labels.*shape=\\(5,\\)"),
        (np.eye(6)[GIVEN], CLEAN, r"shape=\(6, 6\)"),
        (GIVEN + 0.5, CLEAN, "whole numbers"),
        (np.ma.masked_equal(GIVEN, GIVEN[0]), CLEAN, "without masked entries"),
        (GIVEN, CLEAN - 1, "at least 0"),
        (GIVEN, CLEAN + 0.5, "whole numbers"),
    ],
)
@pytest.mark.once
def test_bad_labels_are_refused(given, clean, message):
    with pytest.raises(ValueError, match=message):
        with_clean_labels(given, clean)


def test_the_loss_does_not_see_the_clean_labels():
    y_pred = np.random.default_rng(0).dirichlet(np.ones(3), size=6)
    for inner in (
        losses.GCE(),
        losses.MAEStar(num_classes=3, reduction="sum"),
        keras.losses.SparseCategoricalCrossentropy(),
    ):
        loss = GivenLabelLoss(inner)
        expected = float(inner(GIVEN, y_pred))
        for labels in (GIVEN, GIVEN[:, None], with_clean_labels(GIVEN, CLEAN)):
            assert float(loss(labels, y_pred)) == pytest.approx(expected)
        weight = np.arange(6.0)
        assert float(
            loss(with_clean_labels(GIVEN, CLEAN), y_pred, weight)
        ) == pytest.approx(float(inner(GIVEN, y_pred, weight)))


def test_large_labels_survive_half_precision():
    y_pred = np.eye(3000, dtype="float32")[[2999, 1001]]
    labels = with_clean_labels([2999, 1001], [0, 0])
    loss = GivenLabelLoss(losses.MAE(dtype="bfloat16"))
    assert float(loss(labels, y_pred)) == 0


@pytest.mark.once
def test_what_is_no_loss_is_refused():
    with pytest.raises(ValueError, match=r"keras\.losses\.Loss.*'mse'"):
        GivenLabelLoss("mse")


def noisy_data():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(10, 32))
    clean = np.arange(640) % 10
    x = centers[clean] + 0.6 * rng.normal(size=(640, 32))
    given = noise.corrupt(clean, noise.symmetric(10, 0.4), "exact").labels
    return x.astype("float32"), given, clean


def test_training_shows_both_metrics_and_validates(tmp_path):
    x, given, clean = noisy_data()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((32,)), keras.layers.Dense(10, "softmax")]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        GivenLabelLoss(losses.MAEStar(num_classes=10)),
        metrics=[
            metrics.CleanAccuracy(),
            metrics.MemorizationRate(),
            metrics.LabelAccuracy(),
        ],
    )
    history = model.fit(
        x,
        with_clean_labels(given, clean),
        epochs=15,
        validation_data=(x, clean),
        verbose=0,
    ).history
    assert history["val_clean_accuracy"][-1] > 0.9
    assert history["clean_accuracy"][-1] > 0.9
    assert history["memorization_rate"][-1] < 0.1
    # About six of ten given labels are right.
    assert 0.5 < history["accuracy"][-1] < 0.7
    evaluated = model.evaluate(
        x, with_clean_labels(given, clean), return_dict=True, verbose=0
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(
        x, with_clean_labels(given, clean), return_dict=True, verbose=0
    ) == pytest.approx(evaluated, rel=1e-5)


def test_a_loss_with_memory_gets_its_index():
    x, given, clean = noisy_data()
    elr = losses.ELR(num_samples=640)
    inputs = keras.Input((32,))
    outputs = keras.layers.Dense(10, activation="softmax")(inputs)
    model = keras.Model(inputs, elr.memory(outputs))
    model.compile(
        "adam",
        GivenLabelLoss(elr),
        metrics=[metrics.CleanAccuracy(), metrics.LabelAccuracy()],
    )
    labels = with_clean_labels(with_index(given), clean)
    history = model.fit(x, labels, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["clean_accuracy"][-1] != history["accuracy"][-1]
    with pytest.raises(ValueError, match="with_index"):
        model.train_on_batch(x, given)


@pytest.mark.once
def test_a_copy_has_a_memory_of_its_own():
    loss = GivenLabelLoss(losses.SOP(num_samples=4))
    inputs = keras.Input((3,))
    keras.Model(inputs, loss.loss.connect(inputs))
    again = copy.deepcopy(loss)
    assert again.get_config() == loss.get_config()
    assert again.loss.memory is not loss.loss.memory
