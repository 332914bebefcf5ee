"""What a memory takes from a batch, and batches that it refuses."""

import keras
import numpy as np
import pytest
from helpers import number, values
from keras import ops
from memory_model import CLASSES, SAMPLES, both, data, network, state

from keras_noisy.losses import ELR, SOP, CrossEntropy, with_index
from keras_noisy.metrics import LabelAccuracy, MemorizationRate


@both
def test_a_batch_that_is_not_finite_is_not_remembered(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss)
    y = with_index(labels)
    model.fit(x, y, verbose=0)
    before = {name: state(loss, name) for name in loss.states}
    head, weights = model.layers[1], model.layers[1].get_weights()
    broken = x.copy()
    broken[:3] = np.inf
    history = model.fit(broken[:8], y[:8], batch_size=8, verbose=0)
    assert np.isnan(history.history["loss"][0])
    for name, old in before.items():
        new = state(loss, name)
        assert np.all(np.isfinite(new))
        np.testing.assert_array_equal(new[:3], old[:3])
    assert all(np.all(np.isfinite(w)) for w in model.get_weights()[2:])
    head.set_weights(weights)  # Loss scaling keeps the old weights.
    history = model.fit(x, y, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@both
def test_a_second_loss_of_one_forward_pass_is_the_same_loss(loss_class):
    """Mixup adds the losses of two labels for one prediction."""
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True, reduction=None)
    model = network(loss)
    order = np.random.default_rng(0).permutation(SAMPLES)
    first, other = with_index(labels), with_index(labels)[order]
    z = model(x, training=True)
    before = ops.convert_to_numpy(loss(first, z))
    written = {name: state(loss, name) for name in loss.states}
    second = ops.convert_to_numpy(loss(other, z))
    plain = values(CrossEntropy(from_logits=True), labels[order], z)
    assert np.mean(np.abs(second - plain)) > 1e-3
    assert not np.allclose(second, before)
    for name, old in written.items():
        np.testing.assert_array_equal(state(loss, name), old)
    # Without indices it is a metric.
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss(labels, z)),
        values(CrossEntropy(from_logits=True), labels, z),
        rtol=1e-5,
    )


@both
def test_two_views_of_the_same_labels_have_two_losses(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True, reduction=None)
    model = network(loss)
    y = ops.convert_to_tensor(with_index(labels))
    views = [model(x, training=True), model(x + 0.5, training=True)]
    found = [ops.convert_to_numpy(loss(y, z)) for z in views]
    plain = values(CrossEntropy(from_logits=True), labels, views[1])
    assert np.mean(np.abs(found[1] - plain)) > 1e-3
    again = ops.convert_to_numpy(loss(y, views[1]))  # As a metric does.
    np.testing.assert_allclose(again, plain, rtol=1e-5)


@both
def test_one_hot_labels_are_refused_also_of_two_classes(loss_class):
    loss = loss_class(4, from_logits=True)
    one_hot = np.eye(2, dtype="float32")[[0, 1, 1, 0]]
    with pytest.raises(ValueError, match="takes no one-hot labels"):
        loss(one_hot, np.zeros((4, 2), "float32"))
    with pytest.raises(ValueError, match="takes no one-hot labels"):
        loss(one_hot.astype(int), np.zeros((4, 2), "float32"))


@both
@pytest.mark.parametrize("dtype", ["bool", "float64", "int64"])
def test_fit_does_not_read_one_hot_labels_as_label_and_index(loss_class, dtype):
    x = data()[0]
    one_hot = np.eye(2, dtype=dtype)[np.arange(SAMPLES) % 2]
    loss = loss_class(SAMPLES)
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(2, activation="softmax")(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile("sgd", loss)
    before = model.get_weights()
    try:
        history = model.fit(x, one_hot, verbose=0)
    except ValueError as error:
        assert "takes no one-hot labels" in str(error)
    else:  # A compiled step has no integer values.
        assert dtype == "int64"
        assert np.isnan(history.history["loss"][0])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old[:SAMPLES], new[:SAMPLES])
    # Pairs of two classes are read as before.
    pairs = with_index(np.arange(SAMPLES) % 2)
    history = model.fit(x, pairs, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@both
def test_training_needs_an_index_beside_the_label(loss_class):
    x, labels = data()
    model = network(loss_class(SAMPLES, from_logits=True))
    with pytest.raises(ValueError, match="with_index"):
        model.fit(x, labels, verbose=0)
    model = network(loss_class(SAMPLES, from_logits=True))
    with pytest.raises(ValueError, match=r"of shape \(N, 2\), a label"):
        model.fit(x, np.eye(CLASSES, dtype=int)[labels], verbose=0)
    with pytest.raises(ValueError, match="float16, which rounds indices"):
        model.loss(with_index(labels).astype("float16"), model(x))


@both
@pytest.mark.parametrize("bad", [-1, SAMPLES, 10_000])
def test_an_index_outside_the_memory_gives_nan_and_writes_nothing(
    loss_class, bad
):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss, learning_rate=0.1)
    y = with_index(labels)
    with pytest.raises(ValueError, match=r"in \[0, 32\), the `num_samples`"):
        loss([[0, bad]], model(x[:1]))
    model.evaluate(x, labels, verbose=0)  # A first batch, where one is seen.
    loss._seen_concrete_batch = True
    y[3, 1] = bad
    name = "targets" if loss_class is ELR else "v"
    before = state(loss, name)
    history = model.fit(x, y, batch_size=SAMPLES, verbose=0)
    assert np.isnan(history.history["loss"][0])
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())
    changed = np.any(state(loss, name) != before, axis=1)
    if loss_class is ELR:
        assert changed.sum() == SAMPLES - 1
    assert not changed[3]


@both
def test_ignored_samples_are_not_remembered(loss_class):
    x, labels = data()
    labels[::2] = -1
    loss = loss_class(SAMPLES, from_logits=True, ignore_class=-1)
    model = network(loss)
    name = "targets" if loss_class is ELR else "v"
    keras.utils.set_random_seed(1)
    before = state(loss, name)
    history = model.fit(x, with_index(labels), verbose=0)
    assert np.isfinite(history.history["loss"][0])
    np.testing.assert_array_equal(state(loss, name)[::2], before[::2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "num_samples=0"),
        ({"num_samples": 1.5}, "num_samples=1.5"),
        ({"num_samples": 9, "beta": 1.0}, r"`beta`.*\[0, 1\).*beta=1.0"),
        ({"num_samples": 9, "lambda_": -1.0}, r"`lambda_`.*-1.0"),
    ],
)
@pytest.mark.once
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ELR(**arguments)
    with pytest.raises(ValueError, match="`lr_v`"):
        SOP(9, lr_v=-1.0)


@pytest.mark.once
def test_with_index_takes_labels_alone():
    assert with_index([[3], [4]]).tolist() == [[3, 0], [4, 1]]
    for bad in (np.eye(3), [0.5, 1.0], ["a", "b"]):
        with pytest.raises(ValueError, match=r"whole numbers.*shape"):
            with_index(bad)


@pytest.mark.once
def test_label_accuracy_checks_shapes_and_is_saved():
    metric = LabelAccuracy(name="top")
    p = np.zeros((2, 300))
    p[:, 257] = 1
    metric.update_state(np.array([1, 0], "uint8"), p)
    assert number(metric.result()) == 0.0
    again = LabelAccuracy.from_config(metric.get_config())
    assert again.name == "top"
    for kind in ("float32", "bool"):
        with pytest.raises(ValueError, match=r"2 classes.*np\.argmax"):
            metric.update_state(np.eye(2, dtype=kind), np.eye(2))
    with pytest.raises(ValueError, match=r"3 classes.*np\.argmax"):
        MemorizationRate().update_state(np.eye(3), np.eye(3))
    metric.update_state(np.zeros((4, 3)), np.zeros((4, 3)))
    assert np.isnan(number(metric.result()))  # no targets of three classes


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch compiles no step"
)
def test_passes_outside_a_compiled_step_are_not_of_its_losses():
    """Such as those of Monte Carlo dropout before training."""
    x, labels = data()
    loss = ELR(SAMPLES, beta=0.6, from_logits=True)
    model = network(loss, metrics=[loss])
    for _ in range(3):
        model(x, training=True)
    model.fit(x, with_index(labels), verbose=0)
    # Written once: 0.4 times predictions that sum to 1.
    np.testing.assert_allclose(
        state(loss, "targets").sum(axis=1), 0.4, rtol=1e-5
    )
