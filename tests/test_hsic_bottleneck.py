"""The HSIC bottleneck: updates of the program, saving, resuming, errors."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import array, run_here
from interrupted import Stop, assert_same
from keras import ops

from keras_noisy import GCE, losses
from keras_noisy.callbacks import Resume
from keras_noisy.metrics import LabelAccuracy
from keras_noisy.training import HSICBottleneck

GOLDEN = json.loads((Path(__file__).parent / "golden_hsic.json").read_text())
LOOP = GOLDEN["layerwise_loop"]
SGD = keras.optimizers.SGD
#: Compiling takes longer than running a few steps.
FAST = {"run_eagerly": keras.backend.backend() != "jax"}


def block(units):
    return keras.Sequential(
        [
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(
                epsilon=1e-5, momentum=0.9, center=False, scale=False
            ),
            keras.layers.ReLU(),
        ]
    )


def dense_of(model):
    return [part.layers[0] for part in model.blocks]


def golden_model(classifier=None):
    """The network of the program before training."""
    model = HSICBottleneck(
        [block(4), block(4), block(3)],
        classifier,
        num_classes=None if classifier else 10,
    )
    model.build((None, 5))
    names = ("input_layer.0", "sequence_layer.0.0", "output_layer.0")
    for layer, name in zip(dense_of(model), names, strict=True):
        start = LOOP["weights_start"]
        kernel, bias = (start[f"{name}.{key}"] for key in ("weight", "bias"))
        layer.set_weights([np.transpose(kernel), np.array(bias)])
    return model


def step(model, batch, trained, **arguments):
    """A step of the named blocks, with the optimizer of the program."""
    for index, layer in enumerate(dense_of(model)):
        layer.trainable = index in trained
    model.compile(SGD(0.01, weight_decay=1e-3), **arguments, **FAST)
    x, y = np.array(LOOP["x"], "float32")[batch], LOOP["labels"][batch]
    logs = model.train_on_batch(x, np.array(y), return_dict=True)
    return {name: float(value) for name, value in logs.items()}


def assert_weights(layer, wanted, name):
    kernel, bias = (array(weight) for weight in layer.weights)
    for found, key in ((kernel.T, "weight"), (bias, "bias")):
        np.testing.assert_allclose(
            found, wanted[f"{name}.{key}"], rtol=2e-3, atol=2e-4
        )


def test_one_block_at_a_time_is_the_loop_of_the_program():
    model, update = golden_model(), 0
    for batch in range(2):
        for index in range(3):
            logs = step(model, batch, [index])
            if index == 0 == batch:
                first = logs
            update += 1
        wanted = LOOP[f"weights_after_batch_{batch + 1}"]
        names = ("input_layer.0", "sequence_layer.0.0", "output_layer.0")
        for layer, name in zip(dense_of(model), names, strict=True):
            assert_weights(layer, wanted, name)
    # The first update logs the average over the blocks before any of them.
    assert first["loss"] == pytest.approx(
        3 * (first["nhsic_input"] - 50 * first["nhsic_labels"]), rel=1e-4
    )


@pytest.mark.once
def test_blocks_learn_together_without_a_gradient_between_them():
    """Each block moves as if it were the only one; so does the classifier."""
    softmax = keras.layers.Dense(10, activation="softmax")
    together = golden_model(softmax)
    step(together, 0, [0, 1, 2], loss=GCE())
    moved = [layer.get_weights()[0] for layer in dense_of(together)]
    assert_weights(
        dense_of(together)[0], LOOP["weights_after_batch_1"], "input_layer.0"
    )
    before = softmax.get_weights()[0]
    for index in (1, 2):
        alone = golden_model()
        start = [layer.get_weights()[0] for layer in dense_of(alone)]
        step(alone, 0, [index])
        for other, layer in enumerate(dense_of(alone)):
            found = layer.get_weights()[0]
            wanted = moved if other == index else start
            np.testing.assert_allclose(found, wanted[other], 2e-3, 1e-4)
    step(together, 1, [], loss=GCE())
    assert np.abs(softmax.get_weights()[0] - before).max() > 1e-5


@pytest.mark.once
def test_labels_in_every_format():
    """A label outside the classes teaches nothing, and the loss is NaN."""
    model = golden_model()
    model.compile(SGD(0.01), **FAST)
    x, labels = np.array(LOOP["x"][0], "float32"), np.array(LOOP["labels"][0])
    wanted = model.evaluate(x, labels, verbose=0)
    for same in (labels[:, None].astype("uint8"), np.eye(10)[labels]):
        found = model.evaluate(x, same, verbose=0)
        np.testing.assert_allclose(found, wanted, 1e-5)
    weights = [array(layer.weights[0]) for layer in dense_of(model)]
    for bad in (-1, 10):
        labels[2] = bad
        assert np.isnan(model.train_on_batch(x, labels)[0])
    for layer, weight in zip(dense_of(model), weights, strict=True):
        np.testing.assert_array_equal(array(layer.weights[0]), weight)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="others know the axes"
)
def test_labels_of_an_unknown_rank_say_what_to_do():
    import tensorflow as tf

    x, y = np.zeros((8, 5), "float32"), np.arange(8) % 4
    data = tf.data.Dataset.from_tensor_slices((x, y)).map(
        lambda a, b: (a, tf.numpy_function(lambda v: v, [b], tf.int64))
    )
    model = HSICBottleneck([block(4)], num_classes=4)
    model.compile("sgd")
    with pytest.raises(ValueError, match="set_shape"):
        model.fit(data.batch(4), verbose=0, shuffle=False)


@keras.saving.register_keras_serializable("tests")
class Own(keras.layers.Layer):
    """Without `compute_output_shape`, as Keras allows."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(3)

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        return ops.relu(self.inner(x))


def test_a_block_may_be_a_layer_of_the_user(tmp_path):
    head = keras.layers.Dense(2, activation="softmax")
    model = HSICBottleneck([Own(), Own()], head, sigma=[1, None])
    model.compile("sgd", GCE(), **FAST)
    x, y = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 2
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert len(again.trainable_weights) == 2 * 2 * 2 + 2
    assert_same(again.weights, model.weights)


@pytest.mark.once
def test_a_classifier_with_a_single_output():
    """The blocks of a single output learn from labels of two classes."""
    x, y = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 2
    soft = np.where(y, 0.9, 0.1)
    found = []
    for outputs, labels in (
        (2, y),
        (1, y),
        (1, y[:, None]),
        (2, np.stack([1 - soft, soft], axis=1)),
        (1, soft),
    ):
        keras.utils.set_random_seed(0)
        activation = "sigmoid" if outputs == 1 else "softmax"
        classifier = keras.layers.Dense(outputs, activation=activation)
        model = HSICBottleneck(
            [keras.layers.Dense(3)], classifier, sigma=[1, None], num_classes=2
        )
        model.compile("sgd", GCE(), **FAST)
        logs = model.evaluate(x, labels, verbose=0, return_dict=True)
        found.append(logs["nhsic_labels"])
    assert found[0] > 0
    np.testing.assert_allclose(found, np.repeat(found[::3], [3, 2]), 1e-6)


@pytest.mark.once
def test_several_sigmas_with_a_memory_are_saved_and_go_on(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(32, 5)).astype("float32")
    y = losses.with_index(rng.integers(3, size=32))
    elr = losses.ELR(32, memory_key="m")

    def build(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4,))
        outputs = keras.layers.Dense(3, activation="softmax")(inputs)
        model = HSICBottleneck(
            [block(6), block(4)],
            keras.Model(inputs, elr.connect(outputs)),
            sigma=[1.0, None],
            lambda_y=10.0,
        )
        model.build((None, 5))
        metrics = [LabelAccuracy()]
        model.compile(SGD(0.01, 0.9), elr, metrics=metrics)
        return model

    def run(folder, seed, *callbacks):
        model, resume = build(seed), Resume(folder)
        model.fit(
            *(x, y),
            batch_size=16,
            epochs=2,
            shuffle=False,
            verbose=0,
            initial_epoch=resume.initial_epoch,
            validation_data=(x, y[:, 0]),
            callbacks=[*callbacks, resume],
        )
        return model, resume.history

    whole, history = run(tmp_path / "whole", 0)
    assert {*history} >= {
        *("loss", "nhsic_input", "nhsic_labels", "classifier_loss"),
        *("accuracy", "val_loss", "val_nhsic_labels", "val_accuracy"),
    }
    first, second = whole.networks
    kernels = [part[0].layers[0].get_weights()[0] for part in (first, second)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1
    last = [x, x]
    for index, blocks in enumerate((first, second)):
        for part in blocks:
            last[index] = part(last[index], training=False)
    np.testing.assert_allclose(
        array(whole(x)), array(whole.classifier(sum(last) / 2)), 1e-5, 1e-6
    )
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", 0, Stop(epoch=1))
    again, _ = run(tmp_path / "parts", 1)
    assert_same(again.get_weights(), whole.get_weights())

    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.sigmas == [1.0, None] and loaded.lambda_y == 10
    assert_same(loaded.get_weights(), whole.get_weights())
    for model in (whole, loaded):
        model.fit(x, y, 16, shuffle=False, verbose=0)
    assert_same(loaded.get_weights(), whole.get_weights())


@pytest.mark.once
def test_bad_bottlenecks():
    layer = keras.layers.Dense(3)
    for arguments, message in (
        ({"blocks": []}, "`blocks`. Expected a list of at least one"),
        ({"blocks": layer}, "`blocks`"),
        ({"blocks": [layer, layer]}, "all different"),
        ({"blocks": [layer, "relu"]}, r"`blocks\[1\]`"),
        ({"classifier": "softmax"}, "`classifier`"),
        ({"classifier": layer}, "that is not a block"),
        ({"sigma": 0}, "`sigma`"),
        ({"sigma": []}, "`sigma`. Expected at least one"),
        ({"sigma": [1.0, "5"]}, "`sigma`"),
        ({"lambda_y": 0}, "`lambda_y`"),
        ({"num_classes": 1}, "`num_classes`"),
    ):
        with pytest.raises(ValueError, match=message):
            HSICBottleneck(**{"blocks": [layer], **arguments})

    x, y = np.ones((4, 2)), np.array([0, 1, 2, 0])
    # On JAX, Keras leaves layers without values after an error in `fit`.
    softmax = [keras.layers.Dense(3, activation="softmax") for _ in range(2)]
    for classifier, number, compiled, given, message in (
        (None, None, {"loss": "mse"}, {}, "Expected no `loss`"),
        (None, None, {"metrics": ["accuracy"]}, {}, "no `metrics`"),
        (softmax[0], None, {}, {}, "a `loss` in `compile`"),
        (softmax[1], 4, {"loss": GCE()}, {}, "`num_classes`. Expected 3"),
        (None, None, {}, {"sample_weight": y}, "no `sample_weight`"),
        (None, None, {}, {"class_weight": {0: 1, 1: 2, 2: 1}}, "class_weight"),
        (None, None, {}, {"y": np.eye(4)}, r"targets of shape \(N, 3\)"),
    ):
        model = HSICBottleneck([block(3)], classifier, num_classes=number)
        model.compile("sgd", **compiled)
        with pytest.raises(ValueError, match=message):
            model.fit(**{"x": x, "y": y, "verbose": 0, **given})
    with pytest.raises(ValueError, match="Expected one input"):
        HSICBottleneck([layer]).build([(None, 2), (None, 3)])


@pytest.mark.once
def test_weights_of_one_path_are_refused():
    layers = [keras.layers.Dense(3, name="hidden") for _ in range(2)]
    for layer in layers:
        layer.build((None, 3))
    with pytest.raises(ValueError, match="several with the path 'hidden/bias'"):
        HSICBottleneck(layers).build((None, 3))


EXAMPLE = Path(__file__).parent.parent / "examples" / "hsic_bottleneck.py"


@pytest.mark.once
def test_the_example_prints_its_tables():
    pytest.importorskip("sklearn")
    printed = run_here(EXAMPLE, "--smoke")["printed"]
    for row in ("HSIC, CE", "HSIC, GCE auto", "HSIC, units"):
        assert f"| {row} | " in printed
    assert printed.count(" % |") == 5


def test_blocks_leave_out_what_is_padded():
    """Two networks, whose padding would otherwise be averaged like words."""
    words = keras.layers.Embedding(4, 3, mask_zero=True)
    mean = keras.layers.GlobalAveragePooling1D()
    model = HSICBottleneck([words, mean], sigma=[1.0, 5.0])
    inner = HSICBottleneck([words], mean, sigma=[1.0, 5.0])
    x = np.array([[1, 2], [3, 0]])
    for padded in (model, inner):
        long = padded(np.pad(x, ((0, 0), (0, 3))))
        np.testing.assert_allclose(array(padded(x)), array(long), 1e-5)
