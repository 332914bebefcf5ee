"""Losses that remember each sample: the formulas of ELR, SOP and SELC."""

import keras
import numpy as np
import pytest
import reference
from helpers import number
from memory_model import CLASSES, SAMPLES, both, data, network, state

from keras_noisy.calibration import average_error
from keras_noisy.losses import (
    ELR,
    OGC,
    SELC,
    SOP,
    SPLC,
    CrossEntropy,
    MAEStar,
    with_index,
)
from keras_noisy.metrics import LabelAccuracy


def test_elr_is_its_formula():
    """With a learning rate of 0, so that predictions stay what they are."""
    x, labels = data()
    elr = ELR(SAMPLES, beta=0.6, lambda_=2.0, from_logits=True)
    model = network(elr)
    z = model.predict(x, verbose=0).astype("float64")
    p = np.clip(reference.softmax(z), 1e-4, 1 - 1e-4)
    mean, values = np.zeros_like(p), []
    for _ in range(3):
        mean = 0.6 * mean + 0.4 * p / p.sum(axis=1, keepdims=True)
        regularizer = 2.0 * np.log(1 - (p * mean).sum(axis=1))
        ce = reference.cross_entropy(reference.one_hot(labels, CLASSES), z)
        values.append((ce + regularizer).mean())
    # One batch and several ones, in another order each time.
    history = model.fit(x, with_index(labels), batch_size=SAMPLES, verbose=0)
    assert history.history["loss"] == pytest.approx(values[:1], rel=1e-5)
    history = model.fit(
        x, with_index(labels), batch_size=8, epochs=2, verbose=0
    )
    assert history.history["loss"] == pytest.approx(values[1:], rel=1e-5)
    np.testing.assert_allclose(state(elr, "targets"), mean, rtol=1e-5)


def test_elr_gradient_leaves_the_memory_out():
    x, labels = data()
    elr = ELR(SAMPLES, beta=0.6, lambda_=2.0, from_logits=True)
    model = network(elr, learning_rate=1.0)
    kernel, bias = model.get_weights()[:2]

    def total(kernel, mean=None):
        z = x.astype("float64") @ kernel + bias
        p = np.clip(reference.softmax(z), 1e-4, 1 - 1e-4)
        if mean is None:
            mean = 0.4 * p / p.sum(axis=1, keepdims=True)
        ce = reference.cross_entropy(reference.one_hot(labels, CLASSES), z)
        return (ce + 2.0 * np.log(1 - (p * mean).sum(axis=1))).mean(), mean

    _, mean = total(kernel)
    slope = np.zeros_like(kernel)
    for i in np.ndindex(*kernel.shape):
        step = np.zeros(kernel.shape)
        step[i] = 1e-5
        up, down = total(kernel + step, mean), total(kernel - step, mean)
        slope[i] = (up[0] - down[0]) / 2e-5
    model.fit(x, with_index(labels), batch_size=SAMPLES, verbose=0)
    np.testing.assert_allclose(
        model.get_weights()[0], kernel - slope, rtol=1e-4, atol=1e-5
    )


def test_selc_is_its_formula():
    """The labels for two epochs, then corrected ones, in any order."""
    x, labels = data()
    selc = SELC(SAMPLES, momentum=0.6, start=2, from_logits=True)
    model = network(selc)
    z = model.predict(x, verbose=0).astype("float64")
    p, target = reference.softmax(z), reference.one_hot(labels, CLASSES)
    given, values = target, []
    for epoch in range(4):
        if epoch >= 2:
            target = 0.6 * target + 0.4 * p
        values.append(-(target * reference.log_softmax(z)).sum(1).mean())
    history = model.fit(
        x, with_index(labels), batch_size=8, epochs=4, verbose=0
    )
    assert history.history["loss"] == pytest.approx(values, rel=1e-5)
    correction = state(selc, "corrections")
    np.testing.assert_allclose(correction, target - given, atol=1e-6)
    assert np.all(state(selc, "visits_per_sample") == 4)
    # The target has no gradient: that of cross-entropy with it is p - t.
    target = 0.6 * target + 0.4 * p
    kernel = model.get_weights()[0]
    model.optimizer.learning_rate = 1.0
    model.fit(x, with_index(labels), batch_size=SAMPLES, verbose=0)
    slope = x.T @ (p - target) / SAMPLES
    np.testing.assert_allclose(
        model.get_weights()[0], kernel - slope, rtol=1e-4, atol=1e-6
    )


def sop_terms(p, u, v, y):
    U = np.clip(u**2, 0, 1) * y
    V = np.clip(v**2, 0, 1) * (1 - y)
    q = np.maximum(p + U - V, 1e-4)
    first = -np.log((q * y).sum(1) / q.sum(1))
    rest = reference.one_hot_argmax(p) + U - V - y
    return first, (rest**2).sum(1)


def test_sop_descends_on_its_terms():
    x, labels = data()
    sop = SOP(SAMPLES, lr_u=2.0, lr_v=20.0, from_logits=True)
    model = network(sop)
    rng = np.random.default_rng(1)
    u = rng.uniform(0.1, 0.9, size=(SAMPLES + 1, 1))
    v = rng.uniform(0.1, 0.9, size=(SAMPLES + 1, CLASSES))
    sop.memory.state("u_per_sample").assign(u)
    sop.memory.state("v").assign(v)
    u, v = u[:-1], v[:-1]
    p = reference.softmax(model.predict(x, verbose=0).astype("float64"))
    y = reference.one_hot(labels, CLASSES)
    h = 1e-6
    slope_u = sop_terms(p, u + h, v, y)[0] - sop_terms(p, u - h, v, y)[0]
    slope_v = np.zeros_like(v)
    for k in range(CLASSES):
        step = h * reference.one_hot(k, CLASSES)
        up, down = sop_terms(p, u, v + step, y), sop_terms(p, u, v - step, y)
        slope_v[:, k] = up[1] - down[1]
    rate = 1 / (2 * h) / SAMPLES
    history = model.fit(x, with_index(labels), batch_size=SAMPLES, verbose=0)
    assert history.history["loss"][0] == pytest.approx(
        sum(sop_terms(p, u, v, y)).mean(), rel=1e-5
    )
    np.testing.assert_allclose(
        state(sop, "u_per_sample"), u - 2.0 * rate * slope_u[:, None], rtol=1e-5
    )
    np.testing.assert_allclose(
        state(sop, "v"), v - 20.0 * rate * slope_v, rtol=1e-5, atol=1e-6
    )


def test_sop_stands_still_where_a_square_is_cut_off():
    x, labels = data()
    sop = SOP(SAMPLES, from_logits=True)
    model = network(sop)
    for name in ("u_per_sample", "v"):
        value = sop.memory.state(name)
        value.assign(np.full(value.shape, -1.2))
    model.fit(x, with_index(labels), batch_size=SAMPLES, verbose=0)
    for name in ("u_per_sample", "v"):
        np.testing.assert_allclose(state(sop, name), -1.2)


@both
def test_evaluation_is_cross_entropy_and_writes_nothing(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss, metrics=[LabelAccuracy()])
    model.fit(
        x,
        with_index(labels),
        validation_data=(x, labels),
        batch_size=8,
        verbose=0,
    )
    before = [w.copy() for w in model.get_weights()]
    plain = CrossEntropy(from_logits=True)
    exact = number(plain(labels, model.predict(x, verbose=0)))
    accuracies = []
    for y in (labels, labels[:, None], with_index(labels)):
        # TensorFlow forgets the rank of labels that change their shape.
        model.compile(loss=loss, metrics=[LabelAccuracy()])
        value, accuracy = model.evaluate(x, y, batch_size=SAMPLES, verbose=0)
        assert value == pytest.approx(exact, rel=1e-5)
        accuracies.append(accuracy)
    predicted = np.argmax(model.predict(x, verbose=0), axis=-1)
    assert accuracies == pytest.approx([np.mean(predicted == labels)] * 3)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@both
def test_the_loss_of_predictions_is_cross_entropy_each_time(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss, metrics=[loss])
    model.fit(x, with_index(labels), verbose=0)
    z = model.predict(x, verbose=0)
    exact = number(CrossEntropy(from_logits=True)(labels, z))
    for _ in range(3):
        assert number(loss(labels, z)) == pytest.approx(exact, rel=1e-5)


@both
def test_predictions_of_a_step_compiled_before_training_are_no_training(
    loss_class,
):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss)
    model.predict(x, verbose=0)
    model.fit(x, with_index(labels), verbose=0)
    z = model.predict(x, verbose=0)
    exact = number(CrossEntropy(from_logits=True)(labels, z))
    assert number(loss(with_index(labels), z)) == pytest.approx(exact, rel=1e-5)


@both
@pytest.mark.once
def test_calibration_is_that_of_cross_entropy(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, num_classes=20, logit_bias="auto")
    plain = CrossEntropy(num_classes=20, logit_bias="auto")
    assert loss.logit_bias == plain.logit_bias
    assert average_error(loss, 20) == average_error(plain, 20)
    model = network(loss_class(SAMPLES, from_logits=True, logit_bias="auto"))
    history = model.fit(x, with_index(labels), verbose=0)
    assert np.isfinite(history.history["loss"][0])


@both
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_bias_clip_and_precision(loss_class, policy):
    keras.config.set_dtype_policy(policy)
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True, logit_bias=2.0, logit_clip=1.0)
    model = network(loss, learning_rate=0.1)
    history = model.fit(x, with_index(labels), epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
    value = model.evaluate(x, labels, batch_size=SAMPLES, verbose=0)
    plain = CrossEntropy(from_logits=True, logit_bias=2.0, logit_clip=1.0)
    z = model.predict(x, verbose=0)
    assert value == pytest.approx(number(plain(labels, z)), rel=1e-2)


@pytest.mark.once
def test_a_state_is_read_after_connect():
    for read in (
        lambda: ELR(4).memory.state("targets"),
        OGC().threshold,
        MAEStar(num_classes=100, fade="margin").fading.share,
        SPLC(start=2).counter.count,
    ):
        with pytest.raises(ValueError, match=r"`outputs = loss\.connect"):
            read()
    elr = ELR(SAMPLES)
    network(elr)
    with pytest.raises(ValueError, match=r"`name`.*\['targets'\]"):
        elr.memory.state("corrections")


@pytest.mark.once
def test_elr_memorizes_less_than_cross_entropy():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(10, 32))
    labels = np.repeat(np.arange(10), 60)
    x = centers[labels] + 0.4 * rng.normal(size=(600, 32))
    wrong = rng.random(600) < 0.4
    noisy = np.where(wrong, (labels + rng.integers(1, 10, 600)) % 10, labels)
    memorized = {}
    for name, loss, y in (
        ("elr", ELR(600), with_index(noisy)),
        ("ce", CrossEntropy(), noisy),
    ):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((32,))
        hidden = keras.layers.Dense(256, activation="relu")(inputs)
        outputs = keras.layers.Dense(10, activation="softmax")(hidden)
        if name == "elr":
            outputs = loss.connect(outputs)
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(0.003), loss)
        model.fit(x, y, epochs=40, batch_size=60, verbose=0)
        predicted = np.argmax(model.predict(x, verbose=0), axis=-1)
        memorized[name] = np.mean(predicted[wrong] == noisy[wrong])
    assert memorized["elr"] < 0.3 < 0.6 < memorized["ce"]
