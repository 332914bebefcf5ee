"""Entropy-SGD: the programs' values, walks in `fit`, saving, centers."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import array
from interrupted import Stop, assert_same
from keras import ops

from keras_noisy import MAEStar
from keras_noisy.callbacks import EvaluateCenter, RefreshBatchNorm, Resume
from keras_noisy.losses import SPLC
from keras_noisy.optimizers import EntropySGD

GOLDEN = json.loads((Path(__file__).parent / "golden_wfm.json").read_text())
IS_JAX = keras.backend.backend() == "jax"
DTYPE, TOLERANCE = ("float32", 1e-4) if IS_JAX else ("float64", 1e-6)
ROWS = {
    name: (form, entry["config"], entry["steps"])
    for form, group in (
        ("2017-python", GOLDEN["entropy_sgd_chaudhari"]),
        ("2017", {"lua": GOLDEN["entropy_sgd_lua"]}),
        ("2021", GOLDEN["entropy_sgd_pittorino"]),
    )
    for name, entry in group.items()
}


def quadratic(w):
    """Gradient and value."""
    A, b = (np.array(GOLDEN["quadratic"][name]) for name in "Ab")
    return [A @ (w - b)], 0.5 * (w - b) @ A @ (w - b)


def softmax(kernel, bias):
    x, y = np.array(GOLDEN["softmax"]["X"]), np.array(GOLDEN["softmax"]["y"])
    z = np.exp(x @ kernel.T + bias)
    error = z / z.sum(1, keepdims=True) - np.eye(2)[y]
    return [error.T @ x / len(x), error.mean(0)], None


#: One row of each form runs on every backend, the others on one.
SHARED = (
    "quadratic momentum .9 nesterov wd 1e-2",
    "lua",
    "quadratic wd 1e-2 no gscale",
)


@pytest.mark.parametrize(
    "name",
    [
        name if name in SHARED else pytest.param(name, marks=pytest.mark.once)
        for name in ROWS
    ],
)
def test_values_of_the_programs(name):
    form, config, steps = ROWS[name]
    loss, start = quadratic, [GOLDEN["quadratic"]["w0"]]
    if "softmax" in name:
        start = [GOLDEN["softmax"][key] for key in ("W0_out_by_in", "bias0")]
        loss = softmax
    # The Python program does not advance its count of steps.
    stands = form == "2017-python" and "advanced" not in name
    is_matched = "automatic" in name
    growth = 1e4 ** (1 / 10) - 1 if is_matched else config["g1"]
    optimizer = EntropySGD(
        float(config["lr"]),
        config["L"],
        momentum=float(config["momentum"]),
        gamma=None if is_matched else config["g0"],
        gamma_growth=0.0 if stands else growth,
        noise=0.0,
        weight_decay=config["weight_decay"],
        form=form,
        scale_by_gamma=config.get("gscale", False),
    )
    weights = [keras.Variable(np.array(w), dtype=DTYPE) for w in start]
    optimizer.build(weights)
    for number_of, step in enumerate(steps):
        for _ in range(max(config["L"], 1)):
            gradients, value = loss(*[array(w) for w in weights])
            gradients = [ops.convert_to_tensor(g, DTYPE) for g in gradients]
            optimizer.apply(gradients, weights)
        if is_matched and number_of == config["gtime"]:
            found = optimizer.match_gamma(value)
            assert found == pytest.approx(steps[2]["g0"], rel=TOLERANCE)
        found = [array(w) for w in weights]
        if not isinstance(step["w"][0], list):
            step = {key: [step[key]] for key in ("w", "mu")}
        for one, other in zip(found, step["w"], strict=True):
            np.testing.assert_allclose(one, other, TOLERANCE, TOLERANCE)
        for one, other in zip(optimizer.averages, step["mu"], strict=False):
            np.testing.assert_allclose(array(one), other, TOLERANCE, TOLERANCE)


#: XLA needs long to compile steps that run only a few times.
FAST = {"jit_compile": IS_JAX}


def dense(steps=5, compiled=FAST, **arguments):
    """The softmax problem as a model, with one repeated batch."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = EntropySGD(1.0, 5, **arguments)
    model.compile(optimizer, loss, **compiled)
    kernel, bias = (
        np.array(GOLDEN["softmax"][key]) for key in ("W0_out_by_in", "bias0")
    )
    model.set_weights([kernel.T, bias])
    batch = [np.array(GOLDEN["softmax"][key]) for key in "Xy"]
    x, y = (np.concatenate([part] * steps) for part in batch)
    return model, {
        "x": x.astype("float32"),
        "y": y,
        "batch_size": 6,
        "shuffle": False,
        "verbose": 0,
    }


class Record(keras.callbacks.Callback):
    """Keeps the weights that other callbacks see."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append([w.copy() for w in self.model.get_weights()])


def test_epochs_of_any_length_show_the_center():
    """`fit` compiles and reproduces the values of the program."""
    steps = GOLDEN["entropy_sgd_chaudhari"]["softmax momentum .9 nesterov"]
    model, data = dense(
        *(3, {}), form="2017-python", gamma=0.03, gamma_growth=0.0, noise=0.0
    )
    start = model.get_weights()
    record = Record()
    val = data["x"], data["y"]
    history = model.fit(
        **data,
        epochs=5,
        validation_data=val,
        callbacks=[EvaluateCenter(), record],
    )
    centers = [
        [np.array(kernel).T, np.array(bias)]
        for kernel, bias in (step["w"] for step in steps["steps"])
    ]
    walks_done = [0, 1, 1, 2, 3]  # after 3, 6, 9, 12 and 15 steps
    for done, found in zip(walks_done, record.weights, strict=True):
        for one, other in zip(found, [start, *centers][done], strict=True):
            np.testing.assert_allclose(one, other, 1e-4, 1e-4)
    # The first validation uses the initial weights.
    logits = data["x"] @ start[0] + start[1]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = -np.log(p[np.arange(18), data["y"]]).mean()
    assert history.history["val_loss"][0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.once
def test_fit_ends_at_a_center_and_goes_on_from_there():
    model, data = dense(3)
    start = model.get_weights()
    model.fit(**data)
    for one, other in zip(model.get_weights(), start, strict=True):
        np.testing.assert_array_equal(one, other)
    model.fit(**data, epochs=2)  # A new walk of five steps, and one more.
    assert int(model.optimizer.outer_iterations) == 1
    assert not np.array_equal(model.get_weights()[0], start[0])


def test_a_run_goes_on_with_its_walk_and_noise(tmp_path):
    def run(folder, *callbacks):
        keras.utils.set_random_seed(len(callbacks))
        model, data = dense(3, noise=0.1)
        resume = Resume(folder)
        model.fit(
            **data,
            epochs=3,
            initial_epoch=resume.initial_epoch,
            callbacks=[EvaluateCenter(), *callbacks, resume],
        )
        return model

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Stop())
    found = run(tmp_path / "parts")
    assert_same(found.optimizer.variables, whole.optimizer.variables)
    assert_same(found.get_weights(), whole.get_weights())


def test_everything_that_optimizers_of_keras_do(tmp_path):
    """Half precision, clipping, decay, schedules, accumulation, saving."""
    keras.config.set_dtype_policy("mixed_float16")
    model, data = dense(
        6,
        form="2021",
        gamma=None,
        weight_decay=0.1,
        clipnorm=1.0,
        gradient_accumulation_steps=2,
        noise=0.1,
    )
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 12)
    inner = model.optimizer.inner_optimizer
    inner.learning_rate = schedule
    model.fit(**data, epochs=2, callbacks=[EvaluateCenter()])
    assert int(inner.outer_iterations) == 1 and int(inner.iterations) == 6
    assert inner.match_gamma(0.5) > 0
    model.fit(**data, epochs=1)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    config = inner.get_config()
    assert again.optimizer.inner_optimizer.get_config() == config
    for trained in (model, again):
        trained.fit(**data, epochs=2)
    np.testing.assert_array_equal(
        model.get_weights()[0], again.get_weights()[0]
    )


@pytest.mark.once
def test_noise_has_its_strength_and_no_repetition():
    optimizer = EntropySGD(noise=0.5, momentum=0.0, seed=3)
    weights = [keras.Variable(np.zeros(4000)) for _ in range(2)]
    moves = []
    for _ in range(2):
        optimizer.apply([np.zeros(4000, "float32")] * 2, weights)
        moves += [array(w) for w in weights]
    moves = np.stack([moves[0], moves[1], moves[2] - moves[0]])
    # Langevin dynamics: noise times the root of twice the step.
    assert np.std(moves) == pytest.approx(0.5 * np.sqrt(0.2), rel=0.02)
    correlation = np.corrcoef(moves) - np.eye(3)
    assert np.abs(correlation).max() < 0.06


@pytest.mark.once
def test_excluded_weights_do_not_decay():
    optimizer = EntropySGD(inner_steps=1, weight_decay=0.5, noise=0.0)
    weights = [keras.Variable([1.0], name=name) for name in ("kernel", "bias")]
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([np.zeros(1, "float32")] * 2, weights)
    decayed, kept = (float(array(w)[0]) for w in weights)
    assert decayed < 1 and kept == 1
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


@pytest.mark.once
def test_bad_arguments():
    for arguments, message in (
        ({"inner_steps": -1}, "`inner_steps`. Expected an integer >= 0"),
        ({"inner_learning_rate": 0}, "`inner_learning_rate`"),
        ({"momentum": 1.0}, "`momentum`"),
        ({"gamma": -1.0}, "`gamma`"),
        ({"gamma": None}, "`gamma`"),
        ({"averaging": 1.0}, "`averaging`"),
        ({"weight_decay": -1.0}, "`weight_decay`"),
        ({"form": "2019"}, "`form`. Expected one of"),
        ({"scale_by_gamma": True}, "`scale_by_gamma`"),
        ({"use_ema": True}, "`use_ema`"),
        ({"seed": 0.5}, "`seed`"),
        ({"seed": 2**31}, "from 0 to 2147483647"),
    ):
        with pytest.raises(ValueError, match=message):
            EntropySGD(**arguments)
    with pytest.raises(ValueError, match="gradient for every trainable"):
        EntropySGD().apply([None], [keras.Variable([0.0])])
    with pytest.raises(ValueError, match="`gamma`"):
        EntropySGD().match_gamma(1.0)
    optimizer = EntropySGD(form="2021", gamma=None)
    with pytest.raises(ValueError, match="Expected a walk"):
        optimizer.match_gamma(1.0)
    optimizer.build([keras.Variable([0.0])])
    with pytest.raises(ValueError, match="Expected a walk"):
        optimizer.match_gamma(1.0)
    model, data = dense(1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Received: SGD"):
        model.fit(**data, callbacks=[EvaluateCenter()])


def test_only_a_finished_walk_matches_gamma():
    optimizer = EntropySGD(1.0, 2, form="2021", gamma=None, noise=0.0)
    weight, gradient = keras.Variable([0.0]), ops.ones(1)
    optimizer.apply([gradient], [weight])
    with pytest.raises(ValueError, match="Expected a walk"):
        optimizer.match_gamma(1.0)
    optimizer.apply([gradient], [weight])
    matched = optimizer.match_gamma(1.0)
    optimizer.apply([gradient], [weight])
    assert optimizer.match_gamma(1.0) == matched


@pytest.mark.once
def test_statistics_of_batch_normalization_are_those_of_the_center():
    inner = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    )
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    model.compile(EntropySGD(inner_steps=4), "mse", **FAST)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)), rng.normal(size=(24, 2))
    refresh = RefreshBatchNorm((x, y), batch_size=12)
    model.fit(
        *(x, y),
        batch_size=8,
        epochs=2,
        verbose=0,
        validation_data=(x, y),
        callbacks=[refresh],
    )
    dense_layer, normalization, dropout = inner.layers
    z = x @ array(dense_layer.kernel) + array(dense_layer.bias)
    for statistic, found in (
        (np.mean, normalization.moving_mean),
        (np.var, normalization.moving_variance),
    ):
        wanted = statistic(z.reshape(2, 12, 4), axis=1).mean(0)
        np.testing.assert_allclose(array(found), wanted, 1e-5, 1e-5)
    assert (normalization.momentum, dropout.rate) == (0.99, 0.5)
    with pytest.raises(ValueError, match="at least one batch"):
        RefreshBatchNorm([]).refresh(model)
    with pytest.raises(ValueError, match=r"`data.*not single ones"):
        RefreshBatchNorm([*zip(x, y[:, 0], strict=True)]).refresh(model)
    with pytest.raises(ValueError, match="a `BatchNormalization`"):
        RefreshBatchNorm(x).refresh(keras.Sequential([keras.Input((3,))]))


@pytest.mark.once
def test_a_refresh_is_without_the_dropout_of_recurrence_and_attention():
    inputs = keras.Input((3, 2))
    states = keras.layers.SimpleRNN(
        4, dropout=0.5, recurrent_dropout=0.5, return_sequences=True
    )(inputs)
    states = keras.layers.Attention(dropout=0.5)([states, states])
    normalization = keras.layers.BatchNormalization()
    model = keras.Model(inputs, normalization(states))
    x = np.random.default_rng(0).normal(size=(8, 3, 2))
    RefreshBatchNorm(x).refresh(model)
    before = keras.Model(inputs, states).predict(x, verbose=0)
    np.testing.assert_allclose(
        array(normalization.moving_mean), before.mean((0, 1)), 1e-5, 1e-6
    )
    assert model.layers[1].recurrent_dropout == model.layers[2].dropout == 0.5


def several(optimizer):
    """An optimizer of biases and the given one for all other weights."""
    of_biases = {".*bias": keras.optimizers.SGD(0.1)}
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(optimizer, of_biases)
    )


@pytest.mark.once
def test_the_center_of_one_of_several_optimizers_is_evaluated():
    optimizer = EntropySGD(inner_steps=4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(several(optimizer), "mse", **FAST)
    shown = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(array(optimizer.is_center_shown))
    )
    data, seen = {"x": np.ones((6, 3)), "y": np.ones((6, 2))}, []
    callbacks = [EvaluateCenter(), shown]
    model.fit(**data, batch_size=2, verbose=0, callbacks=callbacks)
    assert seen == [1]


@pytest.mark.once
@pytest.mark.parametrize(
    "wrap",
    [lambda x: x, keras.optimizers.LossScaleOptimizer, several],
    ids=["plain", "scaled", "several"],
)
def test_a_refresh_is_of_the_average_that_fit_leaves(wrap):
    dense, normalization = (
        keras.layers.Dense(4),
        keras.layers.BatchNormalization(),
    )
    model = keras.Sequential([keras.Input((3,)), dense, normalization])
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.9)
    model.compile(wrap(optimizer), "mse", **FAST)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)) + 1, rng.normal(size=(24, 4))
    refresh = RefreshBatchNorm(x, batch_size=24)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[refresh])
    mean = (x @ array(dense.kernel) + array(dense.bias)).mean(0)
    found = array(normalization.moving_mean)
    np.testing.assert_allclose(found, mean, 1e-4, 1e-5)


@pytest.mark.once
def test_a_refresh_is_no_step_and_leaves_nothing_half_done():
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    fading, starting = MAEStar(num_classes=3, fade=fade), SPLC(start=2)
    inputs = keras.Input((3,))
    normalized = keras.layers.BatchNormalization()(inputs)
    model = keras.Model(inputs, starting.connect(fading.connect(normalized)))
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    RefreshBatchNorm(x, batch_size=8).refresh(model)
    statistics = model.get_weights()[:4]
    counts = fading.fading.progress, starting.counter.steps
    assert [float(array(count)) for count in counts] == [0.0, 0.0]
    model(x, training=True)
    assert [float(array(count)) for count in counts] == [1.0, 1.0]

    def broken():
        yield (x[:8],)
        raise OSError("the disk is gone")

    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return x[8 * index :][:8], None

    RefreshBatchNorm(Endless(), steps=3).refresh(model)
    before = model.get_weights()
    for found, wanted in zip(before[:4], statistics, strict=True):
        np.testing.assert_allclose(found, wanted, 1e-6)
    with pytest.raises(OSError, match="gone"):
        RefreshBatchNorm(broken()).refresh(model)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
