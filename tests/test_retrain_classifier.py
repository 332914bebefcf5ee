"""The second stage: frozen and trained layers, and learning rates."""

import json

import helpers
import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_noisy import losses
from keras_noisy.layers import CosineDense, Frozen, GaussianCloud
from keras_noisy.training import clouded_learning_rate, retrain_classifier

GOLDEN = json.loads((helpers.TESTS / "golden_gcl.json").read_text())
COUNTS = [90, 30, 8]
Y = np.repeat([0, 1, 2], COUNTS)
X = np.eye(3)[Y] + 0.5 * np.random.default_rng(0).normal(size=(len(Y), 3))
X = X.astype("float32")


@pytest.mark.once
def test_learning_rates_are_the_published_ones():
    for stage in (1, 2):
        for epoch, rate in GOLDEN["lr"][f"stage{stage}_epoch_from_0"].items():
            found = clouded_learning_rate(int(epoch), stage=stage)
            assert found == pytest.approx(rate, rel=1e-6), (stage, epoch)
    assert clouded_learning_rate(16, epochs=20) == pytest.approx(0.01)
    for arguments in ({"stage": 3}, {"epochs": 0}, {"learning_rate": 0}):
        (name,) = arguments
        with pytest.raises(ValueError, match=f"`{name}`"):
            clouded_learning_rate(0, **arguments)


def trained(loss=None):
    inputs = keras.Input((3,), name="features")
    x = layers.Dense(6, activation="relu")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dropout(0.5)(x)
    cloud = GaussianCloud(COUNTS, 0.5)
    outputs = CosineDense(3, 30.0, cloud, name="head")(x)
    if loss is None:
        return keras.Model(inputs, outputs)
    return keras.Model(inputs, loss.connect(outputs))


def test_the_classifier_goes_on_and_all_before_it_stays(tmp_path):
    model = trained()
    statistics = model.get_layer("norm").moving_mean
    statistics.assign(np.arange(6.0))
    before = [w.copy() for w in model.get_weights()]

    again = retrain_classifier(
        model, X, Y, epochs=2, scale=20.0, batch_size=64, verbose=0
    )
    np.testing.assert_allclose(
        float(ops.convert_to_numpy(again.optimizer.learning_rate)),
        clouded_learning_rate(1, stage=2, epochs=2),
        rtol=1e-5,
    )
    assert again.loss.get_config()["logit_bias"] == -2.0
    assert (again.loss.gamma, again.history.epoch) == (1.0, [0, 1])
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)

    (kernel,) = again.trainable_weights
    frozen = again.get_layer("backbone")
    assert not frozen.trainable and len(frozen.model.layers) == 4
    for layer in frozen.model.layers:
        named = model.get_layer(layer.name).get_weights()
        for one, two in zip(named, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
    head = again.layers[-1].get_layer("head")
    old = model.get_layer("head").get_weights()[0]
    change = np.linalg.norm(ops.convert_to_numpy(kernel) - old)
    assert 0 < change < 0.3 * np.linalg.norm(old)
    assert head.scale == 20 and head.cloud.strength == 0.5

    again.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("backbone").trainable is False
    for one, two in zip(again.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_frozen_model_does_not_train_with_the_model_around_it():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    frozen = Frozen(inner)
    model = keras.Sequential([keras.Input((3,)), frozen, layers.Dense(3)])
    for value in (False, True):
        model.trainable = frozen.trainable = value
    assert len(model.trainable_weights) == 2
    inner.trainable = True
    assert (len(inner.trainable_weights), frozen.trainable) == (2, False)


def test_dropout_is_off_in_training_too():
    """Without a cloud and a learning rate each epoch has the same loss."""
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dropout(0.5), layers.BatchNormalization()]
    )
    model.add(layers.Dense(3, activation="softmax"))
    loss = losses.GCE(q="auto", num_classes=3)
    again = retrain_classifier(
        model, X, Y, loss, keras.optimizers.SGD(0.0), 3, verbose=0
    )
    found = again.history.history["loss"]
    np.testing.assert_allclose(found, found[0], rtol=1e-5)


@pytest.mark.once
def test_losses_with_a_state_get_a_new_one():
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 4)
    first, second = (
        losses.MAE(from_logits=True, logit_bias=1.0, fade=schedule)
        for _ in range(2)
    )
    again = retrain_classifier(
        trained(first), X, Y, second, "sgd", epochs=2, batch_size=64, verbose=0
    )
    assert float(second.fading.progress) == 4
    assert first.fading.key not in str(again.get_config())


@pytest.mark.once
def test_losses_around_others_and_of_several_labels_get_their_layers():
    several = losses.SPLC(start=1, from_logits=True)
    small = losses.SmallLoss(losses.MAE(from_logits=True), "mixture")
    elr = losses.ELR(num_samples=len(Y), from_logits=True)
    indexed = losses.with_index(Y)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for loss, y, layer in (
        (several, np.eye(3)[Y], lambda: several.counter),
        (small, Y, lambda: small.history),
        (
            losses.GivenLabelLoss(elr),
            losses.with_clean_labels(indexed, Y),
            lambda: elr.memory,
        ),
        (losses.GivenLabelLoss(plain), Y, lambda: None),
    ):
        again = retrain_classifier(
            trained(), X, y, loss, "sgd", epochs=1, verbose=0
        )
        assert layer() is None or layer() in again.layers


@pytest.mark.once
def test_the_names_stay_and_the_result_can_be_trained_again():
    model = first = trained()
    for scale in (20.0, 10.0):
        model = retrain_classifier(
            *(model, X, Y), epochs=1, scale=scale, verbose=0
        )
        assert model.output_names == ["head"]
        assert model.name == first.name
        assert len(model.trainable_weights) == 1
    assert model.loss.get_config()["logit_bias"] == -1.0


@pytest.mark.once
def test_one_callback_needs_no_list():
    stop = keras.callbacks.TerminateOnNaN()
    again = retrain_classifier(
        *(trained(), X, Y), epochs=1, callbacks=stop, verbose=0
    )
    assert again.history.epoch == [0]
    assert "learning_rate" in again.history.history


@pytest.mark.once
def test_mistakes_are_named():
    plain = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="`loss`"):
        retrain_classifier(plain, X, Y)
    with pytest.raises(ValueError, match="`scale`"):
        retrain_classifier(plain, X, Y, losses.MAE(), scale=20)
    with pytest.raises(ValueError, match="`classifier`"):
        retrain_classifier(plain, X, Y, losses.MAE(), classifier="last")
    with pytest.raises(ValueError, match="`epochs`"):
        retrain_classifier(plain, X, Y, losses.MAE(), epochs=0)
    inputs = keras.Input((3,))
    x = layers.Dense(3)(layers.ReLU()(inputs))
    around = keras.Model(inputs, layers.Add()([inputs, x]))
    with pytest.raises(ValueError, match="one bypasses it"):
        retrain_classifier(around, X, Y, losses.MAE())
    two = keras.Model(inputs, [x, layers.Dense(3)(x)])
    with pytest.raises(ValueError, match="2 outputs"):
        retrain_classifier(two, X, Y, losses.MAE())

    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="`model`"):
        retrain_classifier(Own(), X, Y, losses.MAE())
