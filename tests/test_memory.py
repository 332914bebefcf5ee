"""Losses that remember each sample: ELR, SOP and SELC."""

import copy
import pickle

import keras
import numpy as np
import pytest
import reference
from helpers import number, values
from keras import ops

from keras_noisy.calibration import average_error
from keras_noisy.layers import SampleMemory, without_state
from keras_noisy.losses import ELR, SELC, SOP, CrossEntropy, with_index
from keras_noisy.metrics import LabelAccuracy, MemorizationRate

SAMPLES, CLASSES = 32, 5

both = pytest.mark.parametrize(
    "loss_class", [ELR, pytest.param(SOP, marks=pytest.mark.once)]
)


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SAMPLES, 8)).astype("float32")
    return x, rng.integers(CLASSES, size=SAMPLES)


def network(loss, learning_rate=0.0, **compile_arguments):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(CLASSES)(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile(
        keras.optimizers.SGD(learning_rate), loss, **compile_arguments
    )
    return model


def state(loss, name):
    return np.array(ops.convert_to_numpy(loss.memory.state(name)))[:-1]


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
def test_state_survives_saving_and_training_goes_on(loss_class, tmp_path):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss, learning_rate=0.1, metrics=[LabelAccuracy()])
    model.fit(x, with_index(labels), shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = [
        keras.models.load_model(tmp_path / "model.keras") for _ in range(2)
    ]
    bare = keras.models.load_model(tmp_path / "model.keras", compile=False)
    model.fit(x, with_index(labels), shuffle=False, epochs=2, verbose=0)
    for again in loaded:
        again.fit(x, with_index(labels), shuffle=False, epochs=2, verbose=0)
        for ours, theirs in zip(
            model.get_weights(), again.get_weights(), strict=True
        ):
            np.testing.assert_allclose(theirs, ours, rtol=1e-6)
        assert again.loss.memory is again.layers[-1]
    assert len(bare.get_weights()) == len(model.get_weights())


@both
def test_copies_have_a_memory_of_their_own(loss_class):
    """Folds and trials that copy a loss must not begin with its beliefs."""
    x, labels = data()
    loss = loss_class(SAMPLES, num_classes=CLASSES, from_logits=True)
    y = with_index(labels)
    first = network(loss)
    first.fit(x, y, verbose=0)
    name = next(iter(loss.states))
    learned = state(loss, name)
    for again in (
        loss_class.from_config(loss.get_config()),
        keras.losses.deserialize(keras.losses.serialize(loss)),
        copy.deepcopy(loss),
        copy.copy(loss),
        pickle.loads(pickle.dumps(loss)),
    ):
        assert again.get_config() == loss.get_config()
        model = network(again)
        fresh = state(again, name)
        assert np.abs(fresh).max() < 1e-6
        model.fit(x, y, verbose=0)
        assert np.any(state(again, name) != fresh)
        np.testing.assert_array_equal(state(loss, name), learned)
    # The first model goes on with its own.
    first.fit(x, y, verbose=0)
    assert np.any(state(loss, name) != learned)


@both
def test_a_second_model_of_one_loss_begins_anew(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    models = [network(loss), network(loss)]
    for model in models:
        model.fit(x, with_index(labels), verbose=0)
    weights = [model.get_weights() for model in models]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone")
def test_a_loop_of_its_own_on_jax_reaches_the_memory_or_raises():
    loss = ELR(SAMPLES, from_logits=True)
    model = network(loss)
    x, labels = data()
    y = with_index(labels)
    states = (
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
    )
    y_pred, _ = model.stateless_call(*states, x, training=True)
    with pytest.raises(ValueError, match="cannot read a memory"):
        loss(y, y_pred)
    _, (_, (memory,), _) = model.stateless_compute_loss(
        *states, [], x=x, y=y, y_pred=y_pred
    )
    assert np.all(np.asarray(memory)[:-1] > 0)


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


@pytest.mark.once
def test_one_loss_for_two_outputs_is_refused():
    x, labels = data()
    elr = ELR(SAMPLES)
    inputs = keras.Input((8,))
    outputs = [
        elr.connect(keras.layers.Dense(CLASSES, "softmax", name=name)(inputs))
        for name in ("left", "right")
    ]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", [elr, elr])
    y = with_index(labels)
    with pytest.raises(ValueError, match="a `ELR` of its own for each"):
        model.fit(x, [y, y], verbose=0)


@both
@pytest.mark.once
def test_a_named_output_keeps_its_name(loss_class, tmp_path):
    x, labels = data()
    loss = loss_class(SAMPLES, logit_bias=1.0, fade="margin")
    inputs = keras.Input((8,))
    head = keras.layers.Dense(CLASSES, activation="softmax", name="species")
    other = keras.layers.Dense(2, activation="softmax", name="sex")
    model = keras.Model(inputs, [loss.connect(head(inputs)), other(inputs)])
    assert model.output_names == ["species", "sex"]
    assert model.get_layer("species") is head
    model.compile("sgd", {"species": loss, "sex": CrossEntropy()})
    y = {"species": with_index(labels), "sex": labels % 2}
    logs = model.fit(x, y, verbose=0).history
    assert {"species_loss", "sex_loss"} < set(logs)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.output_names == ["species", "sex"]
    memory = again.loss["species"].memory
    assert any(layer is memory for layer in again.layers)
    for ours, theirs in zip(
        model.get_weights(), again.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    plain = without_state(again)
    for ours, theirs in zip(
        model.predict(x, verbose=0), plain.predict(x, verbose=0), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert len(plain.get_weights()) == 4


@pytest.mark.once
def test_without_state_keeps_the_input():
    memory = ELR(num_samples=4).memory
    whole = keras.Input((2,), dtype="int32", name="numbers")
    softmax = keras.layers.Dense(3, "softmax")
    model = keras.Sequential([whole, softmax, memory], name="mine")
    plain = without_state(model)
    assert (plain.name, plain.inputs[0].name) == ("mine", "numbers")
    assert plain.inputs[0].dtype == "int32"
    # A model inside a model.
    outputs = keras.layers.Identity()(model(whole))
    for outer in (
        keras.Sequential([whole, model]),
        keras.Model(whole, outputs),
    ):
        assert without_state(outer).count_params() == plain.count_params()


@pytest.mark.once
def test_without_state_loads_without_this_package(tmp_path):
    x, _ = data()
    model = network(ELR(SAMPLES, from_logits=True))
    plain = without_state(model)
    plain.save(tmp_path / "plain.keras")
    assert "keras_noisy" not in str(plain.get_config())
    again = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_allclose(
        again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )


@both
@pytest.mark.once
def test_predictions_must_come_through_the_memory(loss_class):
    _, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    with pytest.raises(ValueError, match=r"loss\.connect\(outputs\)"):
        loss(labels, np.zeros((SAMPLES, CLASSES), "float32"))


def test_a_clone_remembers_for_itself():
    x, labels = data()
    elr = ELR(SAMPLES, from_logits=True)
    model = network(elr)
    clone = keras.models.clone_model(model)
    clone.compile("sgd", elr)
    clone.fit(x, with_index(labels), verbose=0)
    assert np.all(clone.get_weights()[-1][:-1] > 0)
    assert np.all(model.get_weights()[-1] == 0)
    assert elr.memory is model.layers[-1]
    model.fit(x, with_index(labels), verbose=0)
    assert np.all(model.get_weights()[-1][:-1] > 0)


@both
@pytest.mark.parametrize("layer", ["Average", "Multiply", "Concatenate"])
@pytest.mark.once
def test_an_output_of_several_inputs_keeps_its_name(loss_class, layer):
    inputs = keras.Input((8,))
    parts = [keras.layers.Dense(3)(inputs) for _ in range(2)]
    outputs = getattr(keras.layers, layer)(name="species")(parts)
    plain = keras.Model(inputs, outputs)
    loss = loss_class(SAMPLES, from_logits=True)
    model = keras.Model(inputs, loss.connect(outputs))
    assert model.output_names == ["species"]
    assert loss.memory in model.layers
    x = data()[0]
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), plain.predict(x, verbose=0)
    )


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
def test_the_loss_of_predictions_is_cross_entropy_each_time(loss_class):
    x, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    model = network(loss, metrics=[loss])
    model.fit(x, with_index(labels), verbose=0)
    z = model.predict(x, verbose=0)
    exact = number(CrossEntropy(from_logits=True)(labels, z))
    for _ in range(3):
        assert number(loss(labels, z)) == pytest.approx(exact, rel=1e-5)


@pytest.mark.once
def test_a_key_belongs_to_one_number_of_samples():
    elr = ELR(SAMPLES)
    loaded = SampleMemory.from_config(elr.memory.get_config())
    config = {**elr.get_config(), "num_samples": 64}
    with pytest.raises(ValueError, match=r"Expected 32.*num_samples=64"):
        ELR.from_config(config)
    del loaded
    assert ELR.from_config(config).memory.num_samples == 64


def test_a_float32_head_stays_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    elr = ELR(SAMPLES)
    inputs = keras.Input((8,))
    head = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")
    model = keras.Model(inputs, elr.memory(head(inputs)))
    assert model.predict(data()[0], verbose=0).dtype == "float32"


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
