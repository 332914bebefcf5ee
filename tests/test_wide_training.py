"""Replicated SGD and SAM: values, saving, resuming, errors."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import array
from interrupted import Stop, assert_same

from keras_noisy import losses
from keras_noisy.callbacks import Resume
from keras_noisy.training import LDCE, SAM, HSICBottleneck, ReplicatedSGD

GOLDEN = json.loads((Path(__file__).parent / "golden_wfm.json").read_text())
CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
#: XLA needs long to compile steps that run only a few times.
FAST = {"jit_compile": keras.backend.backend() == "jax"}


def dense(penalty=None, extra=()):
    penalty = penalty and keras.regularizers.L2(penalty)
    layer = keras.layers.Dense(
        2, kernel_regularizer=penalty, bias_regularizer=penalty
    )
    return keras.Sequential([keras.Input((3,)), *extra, layer])


class Record(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        replicas = self.model.replicas
        if self.model.central:
            replicas = [*replicas, self.model.central]
        self.weights.append([r.get_weights() for r in replicas])


@pytest.mark.parametrize(
    "kind",
    [
        "centre of mass",  # codespell:ignore centre
        pytest.param("central replica", marks=pytest.mark.once),
    ],
)
def test_replicas_are_those_of_the_program(kind):
    config, golden = GOLDEN["replicated_sgd"]["config"], None
    for name, entry in GOLDEN["replicated_sgd"].items():
        if name.startswith(kind):
            golden = entry
    epochs = len(golden["steps"]) // 2
    model = ReplicatedSGD(
        lambda: dense(config["weight_decay"] / 2),
        coupling=config["g"],
        growth=(1 + config["grate"]) ** epochs,
        central_replica=kind == "central replica",
    )
    networks = [*model.replicas, *([model.central] if model.central else [])]
    for network, (kernel, bias) in zip(
        networks, golden["init_W_bias"], strict=True
    ):
        network.set_weights([np.array(kernel).T, np.array(bias)])
    rate = config["lr_used"]
    optimizer = keras.optimizers.SGD(rate, 0.9, nesterov=True)
    model.compile(optimizer, CE, **FAST)
    record, x, y = Record(), golden["batches_x"], golden["batches_y"]
    history = model.fit(
        *(np.float32(x).reshape(-1, 3), np.int32(y).reshape(-1)),
        batch_size=6,
        epochs=1,
        shuffle=False,
        verbose=0,
        callbacks=record,
        steps_per_epoch=2,
    )
    if epochs == 2:
        history = model.fit(
            *(np.float32(x[2:]).reshape(-1, 3), np.int32(y[2:]).reshape(-1)),
            batch_size=6,
            epochs=2,
            initial_epoch=1,
            shuffle=False,
            verbose=0,
            callbacks=[record],
        )
    for found, step in zip(record.weights, golden["steps"], strict=True):
        for replica, kernel, bias in zip(
            found, step["W_replicas"], step["bias_replicas"], strict=False
        ):
            np.testing.assert_allclose(replica[0].T, kernel, 1e-4, 1e-5)
            np.testing.assert_allclose(replica[1], bias, 1e-4, 1e-5)
    assert history.history["coupling"][-1] == pytest.approx(step["g"])
    center = model.center()
    for found, wanted in zip(
        center.get_weights(),
        (np.transpose(step["center_W"]), step["center_bias"]),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-5)
    x = np.float32(x).reshape(-1, 3)
    np.testing.assert_allclose(array(model(x)), array(center(x)), 1e-5, 1e-5)


def batches(count=8, size=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count * size, 3)).astype("float32")
    return {"x": x, "y": (x[:, 0] > 0).astype("int32"), "batch_size": size}


def normalized():
    return dense(
        extra=[keras.layers.Dense(4), keras.layers.BatchNormalization()]
    )


def whole_and_resumed(folder, build, data):
    """A run, and a stopped and resumed one; the history of the first."""

    def run(folder, *callbacks, seed=0):
        keras.utils.set_random_seed(seed)
        model = build()
        model.compile(
            keras.optimizers.SGD(0.02, momentum=0.9),
            CE,
            metrics=["accuracy"],
            **FAST,
        )
        resume = Resume(folder)
        model.fit(
            **data,
            initial_epoch=resume.initial_epoch,
            validation_data=(data["x"], data["y"]),
            callbacks=[*callbacks, resume],
        )
        return model, resume.history

    whole, history = run(folder / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(folder / "parts", Stop())
    return whole, run(folder / "parts", seed=1)[0], history


@pytest.mark.once
def test_a_run_of_sam_goes_on(tmp_path):
    data = {**batches(), "verbose": 0, "shuffle": False, "epochs": 4}
    whole, found, _ = whole_and_resumed(
        tmp_path, lambda: SAM(normalized(), 0.1), data
    )
    assert_same(found.get_weights(), whole.get_weights())
    assert_same(found.optimizer.variables, whole.optimizer.variables)


@pytest.mark.once
def test_replicas_come_together_and_a_run_goes_on(tmp_path):
    data = {**batches(), "verbose": 0, "shuffle": False, "epochs": 4}
    whole, found, history = whole_and_resumed(
        tmp_path, lambda: ReplicatedSGD(normalized, 2, growth=1e3), data
    )
    assert_same(found.variables[:-3], whole.variables[:-3])
    growth = np.divide(history["coupling"][1:], history["coupling"][:-1])
    np.testing.assert_allclose(growth, 1e3 ** (1 / 4), 1e-5)
    assert history["replica_distance"][-1] < history["replica_distance"][0] / 2

    center = whole.center()
    center.compile(loss=CE, metrics=["accuracy"], **FAST)
    np.testing.assert_allclose(
        center.evaluate(data["x"], data["y"], verbose=0),
        [history["val_loss"][-1], history["val_accuracy"][-1]],
        rtol=1e-5,
    )
    means = np.mean([array(r.weights[4]) for r in whole.replicas], axis=0)
    np.testing.assert_allclose(array(center.weights[4]), means, 1e-6)

    whole.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config().keys() == whole.get_config().keys()
    assert_same(again.get_weights(), whole.get_weights())


def test_the_first_batch_chooses_the_coupling():
    model = ReplicatedSGD(dense, replicas=2)
    ones, others = (r.get_weights() for r in model.replicas)
    model.compile(keras.optimizers.SGD(0.1), CE, **FAST)
    data = batches(1)
    history = model.fit(**data, shuffle=False, verbose=0).history
    pairs = zip(ones, others, strict=True)
    square = sum(((a - b) ** 2).sum() for a, b in pairs) / 4
    # Both terms are equal: half of the loss is the coupling.
    wanted = history["loss"][0] / 2 / square
    assert history["coupling"][0] == pytest.approx(wanted, rel=1e-4)


def test_networks_of_the_same_names_learn_apart():
    """On PyTorch, Keras finds weights by path, and names are part of it."""
    found = []
    for names in ((None, None), ("network", "layer")):
        keras.utils.set_random_seed(0)

        def named(names=names):
            layer = keras.layers.Dense(2, name=names[1])
            return keras.Sequential([keras.Input((3,)), layer], name=names[0])

        model = ReplicatedSGD(named, 2, coupling=0.1)
        for number, replica in enumerate(model.replicas):
            replica.set_weights([np.eye(3, 2, number), np.zeros(2)])
        model.compile(keras.optimizers.SGD(0.1), CE, **FAST)
        model.fit(**batches(4), shuffle=False, verbose=0)
        found.append([w for r in model.replicas for w in r.get_weights()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-6)


@pytest.mark.once
def test_bad_replicas():
    model = dense()
    for arguments, message in (
        ({"build_model": model}, "`build_model`. Expected a function"),
        ({"build_model": lambda: model}, "new, equal network each time"),
        ({"build_model": keras.Sequential}, "returns a built keras.Model"),
        ({"replicas": 1}, "`replicas`"),
        ({"coupling": -1}, "`coupling`"),
        ({"growth": 0.5}, "`growth`"),
        ({"schedule": "slow"}, "`schedule`"),
        ({"central_replica": 1}, "`central_replica`"),
    ):
        with pytest.raises(ValueError, match=message):
            ReplicatedSGD(**{"build_model": dense, **arguments})

    def with_memory():
        inputs = keras.Input((3,))
        outputs = keras.layers.Dense(2)(inputs)
        return keras.Model(inputs, losses.ELR(9).connect(outputs))

    with pytest.raises(ValueError, match="cannot be replicated"):
        ReplicatedSGD(with_memory)
    model = ReplicatedSGD(dense)
    model.compile("sgd", CE)
    data = batches()
    with pytest.raises(ValueError, match="Received: a batch of 2"):
        model.fit(data["x"], data["y"], batch_size=2, verbose=0)
    for replica in model.replicas:
        replica.set_weights([np.ones((3, 2)), np.zeros(2)])
    with pytest.raises(ValueError, match="different weights"):
        model.fit(**data)
    with pytest.raises(ValueError, match="a list of callbacks"):
        model.fit(**data, callbacks=keras.callbacks.CallbackList())


def test_sam_steps_along_the_gradient_at_the_worst_weights(tmp_path):
    data, rho, rate, penalty = batches(1, 8), 0.3, 0.5, 0.1
    model = dense(penalty)
    sam = SAM(model, rho)
    sam.compile(keras.optimizers.SGD(rate), CE)
    W, b = (w.astype("float64") for w in model.get_weights())
    x, y = data["x"], data["y"]

    def gradient(W, b):
        p = np.exp(x @ W + b)
        p /= p.sum(1, keepdims=True)
        error = p - np.eye(2)[y]
        loss = -np.log(p[np.arange(8), y]).mean() + penalty * (
            (W**2).sum() + (b**2).sum()
        )
        return x.T @ error / 8, error.mean(0), loss

    values = []
    for _ in range(3):
        dW, db, loss = gradient(W, b)
        scale = rho / np.sqrt((dW**2).sum() + (db**2).sum())
        dW, db, _ = gradient(W + scale * dW, b + scale * db)
        W, b = (
            W - rate * (dW + 2 * penalty * W),
            b - rate * (db + 2 * penalty * b),
        )
        values.append(loss)
    history = sam.fit(**data, epochs=3, verbose=0).history
    np.testing.assert_allclose(model.get_weights()[0], W, 1e-4, 1e-5)
    np.testing.assert_allclose(history["loss"], values, 1e-4)

    sam.save(tmp_path / "sam.keras")
    again = keras.models.load_model(tmp_path / "sam.keras")
    assert again.rho == rho
    assert_same(again.model.get_weights(), model.get_weights())
    for trained in (sam, again):
        trained.fit(**data, shuffle=False, verbose=0)
    assert_same(again.model.get_weights(), model.get_weights())


def normalized_with_memory(wrap, rate=0.0):
    """Weights and losses after an epoch, with a loss that has a memory."""
    keras.utils.set_random_seed(0)
    data, elr = batches(4, 8), losses.ELR(32, from_logits=True)
    hidden = normalized()
    inputs = keras.Input((3,))
    model = keras.Model(inputs, elr.connect(hidden(inputs)))
    trained = wrap(model)
    trained.compile(keras.optimizers.SGD(rate), elr, **FAST)
    labels = losses.with_index(data["y"])
    history = trained.fit(data["x"], labels, 8, verbose=0).history
    return model.get_weights(), history["loss"]


def test_sam_moves_states_once():
    """Normalization averages and a loss's memory change as without SAM."""
    plain, loss = normalized_with_memory(lambda model: model)
    sharp, same = normalized_with_memory(SAM)
    for one, other in zip(plain, sharp, strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-5)
    np.testing.assert_allclose(loss, same, 1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="other backends know the size of a batch and raise",
)
def test_a_last_batch_of_fewer_samples_than_replicas_leaves_no_nan():
    keras.utils.set_random_seed(0)

    def build():
        return dense(extra=[keras.layers.BatchNormalization()])

    model = ReplicatedSGD(build, 5, 0.0)
    model.compile(keras.optimizers.SGD(0.0), CE, jit_compile=False)
    x, y = np.eye(7, 3), np.arange(7) % 2
    assert np.isfinite(model.fit(x, y, 5, verbose=0).history["loss"]).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("kind", [SAM, ReplicatedSGD])
def test_what_is_padded_has_no_part_in_the_loss(kind):
    def build():
        tokens = keras.layers.Embedding(4, 3, mask_zero=True)
        softmax = keras.layers.Dense(2, activation="softmax")
        return keras.Sequential(
            [keras.Input((3,), dtype="int32"), tokens, softmax]
        )

    model = SAM(build()) if kind is SAM else ReplicatedSGD(build)
    model.compile(keras.optimizers.SGD(0.0), losses.CrossEntropy(), **FAST)
    x = np.array([[1, 2, 3], [2, 0, 0], [3, 1, 0], [1, 0, 0]])
    y = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]])
    found = [model.train_on_batch(x, y), model.train_on_batch(x, y + (x == 0))]
    np.testing.assert_allclose(*found, 1e-5)


@pytest.mark.once
def test_sam_works_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    weights, loss = normalized_with_memory(SAM, 0.1)
    assert np.isfinite(loss).all()
    assert all(np.isfinite(w).all() for w in weights)
    # 1024 times the loss has no gradient that is finite there.
    sam = SAM(keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)]))
    sam.compile(keras.optimizers.SGD(1e-6), "mse")
    x, y = np.full((8, 4), 100.0), np.zeros((8, 8))
    # The first steps are left out, until the loss is scaled down.
    found = sam.fit(x, y, epochs=25, verbose=0).history["loss"]
    assert found[-1] < found[0]


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
def test_sam_of_a_frozen_model_has_its_loss():
    model = dense()
    model.trainable = False
    sam = SAM(model)
    sam.compile("sgd", CE)
    history = sam.fit(**batches(1, 8), verbose=0).history
    expected = sam.evaluate(**batches(1, 8), verbose=0)
    assert history["loss"] == [pytest.approx(expected)]


@pytest.mark.once
def test_bad_sam():
    for arguments, message in (
        ({"rho": 0}, "`rho`"),
        ({"model": 3}, "`model`. Expected a built keras.Model"),
        ({"model": keras.Sequential()}, "`model`. Expected a built"),
        ({"model": SAM(dense())}, "without a `compute_loss` of its own"),
    ):
        with pytest.raises(ValueError, match=message):
            SAM(**{"model": dense(), **arguments})


@pytest.mark.once
def test_arguments_of_a_keras_model_are_saved():
    for model in (
        SAM(dense(), dtype="mixed_bfloat16"),
        ReplicatedSGD(dense, dtype="mixed_bfloat16"),
        LDCE(dense(), 3, 9, dtype="mixed_bfloat16"),
        HSICBottleneck([keras.layers.Dense(3)], dtype="mixed_bfloat16"),
    ):
        model.trainable = False
        again = type(model).from_config(model.get_config())
        assert again.dtype_policy.name == "mixed_bfloat16"
        assert (again.name, again.trainable) == (model.name, False)


@pytest.mark.once
def test_replicas_of_a_functional_model_are_saved(tmp_path):
    def build_model():
        inputs = keras.Input((3,))
        return keras.Model(inputs, keras.layers.Dense(2)(inputs))

    model = ReplicatedSGD(build_model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_same(again.center().get_weights(), model.center().get_weights())


@pytest.mark.once
def test_networks_keep_the_names_of_their_outputs():
    def build():
        inputs = keras.Input((3,))
        outputs = [
            keras.layers.Dense(2, name=name)(inputs) for name in ("one", "two")
        ]
        return keras.Model(inputs, outputs)

    y = {"one": np.array([0, 1, 0]), "two": np.array([1, 1, 0])}
    for model in (SAM(build()), ReplicatedSGD(build)):
        model.compile(
            "sgd", {"one": CE, "two": CE}, metrics={"two": "accuracy"}
        )
        logs = model.fit(np.ones((3, 3)), y, verbose=0).history
        assert {"one_loss", "two_loss", "two_accuracy"} < set(logs)
