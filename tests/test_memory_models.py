"""Models with a memory: saved, copied, cloned, with several outputs."""

import copy
import pickle

import keras
import numpy as np
import pytest
from memory_model import CLASSES, SAMPLES, both, data, network, state

from keras_noisy.layers import SampleMemory, without_state
from keras_noisy.losses import ELR, GCE, MAE, CrossEntropy, with_index
from keras_noisy.metrics import LabelAccuracy


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


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow alone"
)
def test_a_loss_outside_the_function_of_the_model_raises():
    import tensorflow as tf

    x, labels = data()
    y = with_index(labels)
    memory = ELR(SAMPLES, from_logits=True)
    margin, schedule = (
        MAE(logit_bias=2.0, fade=fade, from_logits=True)
        for fade in ("margin", keras.optimizers.schedules.CosineDecay(1.0, 9))
    )
    for loss in (memory, margin, schedule):
        model = network(loss)
        forward = tf.function(lambda x, m=model: m(x, training=True))
        outputs = forward(x)
        if loss is schedule:
            loss(labels, outputs)
            continue
        with pytest.raises(ValueError, match="only follow the first batch"):
            loss(y if loss is memory else labels, outputs)


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


@pytest.mark.once
def test_a_key_belongs_to_one_number_of_samples():
    elr = ELR(SAMPLES)
    loaded = SampleMemory.from_config(elr.memory.get_config())
    config = {**elr.get_config(), "num_samples": 64}
    with pytest.raises(ValueError, match=r"Expected 32.*num_samples=64"):
        ELR.from_config(config)
    del loaded
    assert ELR.from_config(config).memory.num_samples == 64


@both
@pytest.mark.once
def test_predictions_must_come_through_the_memory(loss_class):
    _, labels = data()
    loss = loss_class(SAMPLES, from_logits=True)
    with pytest.raises(ValueError, match=r"loss\.connect\(outputs\)"):
        loss(labels, np.zeros((SAMPLES, CLASSES), "float32"))


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
@pytest.mark.once
def test_a_model_inside_keeps_its_name(loss_class):
    x, labels = data()
    inner = keras.Input((8,))
    softmax = keras.layers.Dense(CLASSES, activation="softmax")
    network = keras.Model(inner, softmax(inner), name="species")
    inputs = keras.Input((8,))
    loss = loss_class(SAMPLES)
    model = keras.Model(inputs, loss.connect(network(inputs)))
    assert model.output_names == ["species"]
    model.compile("sgd", loss)
    model.fit(x, with_index(labels), verbose=0)
    assert loss.memory in model.layers


@both
def test_connect_is_no_part_of_a_call(loss_class):
    """Every step would have a new memory: ELR would be cross-entropy."""
    loss = loss_class(SAMPLES)

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(CLASSES, activation="softmax")

        def call(self, inputs):
            return loss.connect(self.head(inputs))

    model = Own()
    model.compile("sgd", loss)
    x, labels = data()
    with pytest.raises(ValueError, match=r"connect\(model\(inputs\)\)"):
        model.fit(x, with_index(labels), verbose=0)


@both
@pytest.mark.once
def test_a_layer_that_is_called_twice_keeps_its_input(loss_class):
    """Keras knows the input of only the first call."""
    inputs = keras.Input((8,))
    head = keras.layers.Dense(CLASSES, activation="softmax", name="species")
    head(inputs)
    outputs = head(keras.layers.Rescaling(3.0)(inputs))
    model = keras.Model(inputs, loss_class(SAMPLES).connect(outputs))
    x = data()[0]
    np.testing.assert_array_equal(
        model.predict(x, verbose=0),
        keras.Model(inputs, outputs).predict(x, verbose=0),
    )


@pytest.mark.once
def test_without_state_keeps_the_input():
    memory = ELR(num_samples=4).memory
    whole = keras.Input((2,), dtype="int32", name="numbers")
    softmax = keras.layers.Dense(3, "softmax")
    model = keras.Sequential([whole, softmax, memory], name="mine")
    plain = without_state(model)
    assert (plain.name, plain.inputs[0].name) == ("mine", "numbers")
    assert plain.inputs[0].dtype == "int32"
    with pytest.raises(ValueError, match=r"`model`.*a built model"):
        without_state(keras.Sequential([softmax]))
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
    assert model.compiled
    plain = without_state(model)
    plain.save(tmp_path / "plain.keras")
    assert not plain.compiled  # or its loss would be saved
    assert "keras_noisy" not in str(plain.get_config())
    again = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_allclose(
        again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )


@pytest.mark.once
@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_without_state_of_a_model_with_a_compiled_one_inside(kind):
    x, inputs = {"one": data()[0]}, {"one": keras.Input((8,), name="one")}
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    if kind == "functional":
        inner = keras.Model(inputs, {"two": inner(inputs["one"])})
    inner.compile("sgd", GCE(from_logits=True))
    is_plain = kind == "sequential"
    outputs = {"two": inner(inputs["one"])} if is_plain else inner(inputs)
    outer = keras.Model(inputs, outputs, name="outer")
    outer.compile("sgd", GCE(from_logits=True))
    assert "keras_noisy" in str(outer.get_config())
    plain = without_state(outer)
    assert plain.name == "outer" and not plain.compiled
    assert "keras_noisy" not in str(plain.get_config())
    np.testing.assert_array_equal(
        plain.predict(x, verbose=0)["two"], outer.predict(x, verbose=0)["two"]
    )


def test_a_float32_head_stays_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    elr = ELR(SAMPLES)
    inputs = keras.Input((8,))
    head = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")
    model = keras.Model(inputs, elr.memory(head(inputs)))
    assert model.predict(data()[0], verbose=0).dtype == "float32"
