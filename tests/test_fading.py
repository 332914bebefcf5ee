"""Calibration that fades while a model trains."""

import copy
import pickle

import keras
import numpy as np
import pytest
from helpers import build, catalogue_shared, number, values
from keras import ops

from keras_noisy import losses
from keras_noisy.calibration import MarginFade, average_error
from keras_noisy.calibration.margin_fade import fresh_margin

schedules = keras.optimizers.schedules
HALF = schedules.PiecewiseConstantDecay([10**6], [0.5, 0.5])
CLASSES = 12


def batch(rows=CLASSES, num_classes=CLASSES, seed=0):
    """As many rows as classes, where a wrong broadcast goes unnoticed."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, num_classes)).astype("float32")
    return rng.integers(num_classes, size=rows), logits


def one_hot(labels, num_classes=CLASSES):
    return np.eye(num_classes, dtype="float32")[labels]


def faded_values(loss, labels, logits):
    return values(loss, labels, loss.connect(ops.convert_to_tensor(logits)))


@pytest.mark.parametrize("targets", [lambda labels: labels, one_hot])
@catalogue_shared
def test_half_of_the_bias_is_a_bias_of_half(name, targets):
    labels, logits = batch()
    shared = {"from_logits": True, "num_classes": CLASSES}
    half = build(name, CLASSES, logit_bias=2.0, fade=HALF, **shared)
    expected = build(name, CLASSES, logit_bias=1.0, **shared)
    np.testing.assert_allclose(
        faded_values(half, targets(labels), logits),
        values(expected, targets(labels), logits),
        rtol=1e-5,
        atol=1e-6,
    )


AUTOMATIC = {
    "GCE": (losses.GCE, "q", {}),
    "AGCE a": (losses.AGCE, "a", {}),
    "AGCE q": (losses.AGCE, "q", {"a": 1.0}),
    "AUL": (losses.AUL, "a", {}),
    "AEL": (losses.AEL, "a", {}),
    "SCE": (losses.SCE, "alpha", {}),
    "ActivePassive": (
        losses.ActivePassive,
        "alpha",
        {"active": losses.NCE(), "passive": losses.MAE()},
    ),
    "ActivePassive of p": (
        losses.ActivePassive,
        "alpha",
        {"active": losses.CrossEntropy(), "passive": losses.MAE()},
    ),
}


@pytest.mark.parametrize("fade", [HALF, MarginFade(per_class=True)])
@pytest.mark.parametrize(
    "name",
    [
        name if name == "GCE" else pytest.param(name, marks=pytest.mark.once)
        for name in AUTOMATIC
    ],
)
def test_hyperparameters_fade_to_their_reference(name, fade):
    kind, hyperparameter, arguments = AUTOMATIC[name]
    shared = {"from_logits": True, "num_classes": CLASSES, **arguments}
    labels, logits = batch()
    try:
        loss = kind(**{hyperparameter: "auto"}, fade=fade, **shared)
    except ValueError:  # No value gives so many classes this error.
        pytest.skip(f"{name} has no automatic value for {CLASSES} classes")
    outputs = loss.connect(ops.convert_to_tensor(logits))
    share = 0.5
    if fade is not HALF:
        way = np.linspace(0, 1, CLASSES) * -fresh_margin(CLASSES)
        loss.fading.progress.assign(fresh_margin(CLASSES) + way)
        share = 1 - np.linspace(0, 1, CLASSES)[labels]
    found = [values(loss, y, outputs) for y in (labels, one_hot(labels))]
    end = kind.references[hyperparameter]
    now = end + share * (getattr(loss, hyperparameter) - end)
    for row, value in enumerate(np.broadcast_to(now, CLASSES)):
        expected = kind(**{hyperparameter: float(value)}, **shared)
        for y, of_form in zip((labels, one_hot(labels)), found, strict=True):
            np.testing.assert_allclose(
                of_form[row],
                values(expected, y, logits)[row],
                rtol=2e-5,
                atol=1e-6,
            )


def network(loss, num_classes=CLASSES, weights="glorot_uniform"):
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(
        num_classes, activation="softmax", kernel_initializer=weights
    )(inputs)
    return keras.Model(inputs, loss.connect(outputs))


def test_the_schedule_follows_the_training_steps_alone():
    x, y = np.zeros((40, 8), "float32"), np.arange(40) % CLASSES
    fade = schedules.PolynomialDecay(1.0, 10, 0.0)
    loss = losses.MAE(logit_bias=3.0, fade=fade)
    model = network(loss)
    model.compile(keras.optimizers.SGD(0.0), loss)
    history = model.fit(
        x, y, batch_size=8, epochs=3, verbose=0, validation_data=(x, y)
    ).history
    bias = 3.0 * np.clip(1 - np.arange(15) / 10, 0, 1).reshape(3, 5)
    value = 2 - 2 * np.exp(bias) / (np.exp(bias) + CLASSES - 1)
    np.testing.assert_allclose(history["loss"], value.mean(axis=1), 1e-5)
    # Validation has the bias of the last training step, and takes none.
    np.testing.assert_allclose(history["val_loss"], value[:, -1], 1e-5)
    assert number(loss.fading.progress) == 15


@pytest.mark.parametrize("fade", [None, "margin", schedules.CosineDecay(1, 9)])
def test_a_fade_is_traced_no_more_often_than_a_constant(fade):
    class Counting(losses.MAEStar):
        calls = 0

        def call(self, y_true, y_pred):
            type(self).calls += 1
            return super().call(y_true, y_pred)

    loss = Counting(num_classes=100, fade=fade)
    model = network(loss, 100)
    model.compile("sgd", loss)
    x, y = np.ones((32, 8), "float32"), np.arange(32)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    before = Counting.calls
    model.fit(x, y, batch_size=8, epochs=5, verbose=0)
    if keras.backend.backend() == "torch":  # Nothing is compiled.
        assert Counting.calls - before == 20
    else:
        assert 1 <= before <= 3
        assert Counting.calls == before


def simulated(margins, labels, levels, fade, num_classes):
    """The rule of MarginFade in plain NumPy."""
    above = margins > (levels[labels] if fade.per_class else levels)
    votes = above - (1 - fade.quantile)
    if not fade.per_class:
        return levels + fade.rate * votes.mean()
    step = np.zeros(num_classes)
    np.add.at(step, labels, votes)
    crowd = max(len(labels) / num_classes, 1)
    return levels + fade.rate * step / crowd


@pytest.mark.parametrize("rows", [5, 40])
@pytest.mark.parametrize("per_class", [True, False])
def test_margins_move_the_levels_by_the_formula(per_class, rows):
    labels, logits = batch(rows)
    labels[-1] = -1  # Left out.
    fade = MarginFade(quantile=0.6, margin_end=1.0, per_class=per_class)
    loss = losses.MAE(
        logit_bias=3.0, fade=fade, from_logits=True, ignore_class=-1
    )
    start = np.float32(fresh_margin(CLASSES))
    levels = np.full(CLASSES if per_class else (), start)
    exponentials = np.exp(logits.astype("float64"))
    own = exponentials[np.arange(rows), labels]
    margins = np.log(own / (exponentials.sum(axis=1) - own))
    y_pred = ops.convert_to_tensor(logits)
    for _ in range(3):
        loss(labels, loss.fading(y_pred, training=True))
        kept = slice(0, -1)
        step = simulated(margins[kept], labels[kept], levels, fade, CLASSES)
        # A batch counts as a whole, including samples that are left out.
        count = max(rows / CLASSES, 1) / max((rows - 1) / CLASSES, 1)
        scale = 1 / count if per_class else (rows - 1) / rows
        levels = levels + scale * (step - levels)
    loss(labels, loss.fading(y_pred, training=False))
    found = ops.convert_to_numpy(loss.fading.progress)
    np.testing.assert_allclose(found, levels, rtol=1e-5)
    share = 1 - np.clip((levels - start) / (1.0 - start), 0, 1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss.fading.share()), share, atol=1e-5
    )


def test_a_class_that_is_known_loses_its_bias_and_others_keep_it():
    loss = losses.MAEStar(num_classes=100, fade="margin")
    inputs = keras.Input((100,))
    outputs = keras.layers.Dense(100, activation="softmax")(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile(keras.optimizers.SGD(10.0), loss)
    labels = np.arange(640) % 10  # The other 90 classes have no sample.
    x = np.eye(100, dtype="float32")[labels]
    assert np.all(ops.convert_to_numpy(loss.fading.share()) == 1.0)
    model.fit(x, labels, batch_size=32, epochs=5, verbose=0)
    share = ops.convert_to_numpy(loss.fading.share())
    assert np.all(share[:10] == 0.0)
    assert np.all(share[10:] == 1.0)


@pytest.mark.once
def test_up_to_ten_classes_there_is_nothing_to_fade():
    x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
    y = np.arange(64) % 10
    histories = []
    for fade in (None, "margin"):
        keras.utils.set_random_seed(1)
        loss = losses.MAEStar(num_classes=10, fade=fade)
        model = network(loss, 10)
        model.compile(keras.optimizers.SGD(1.0), loss)
        history = model.fit(x, y, epochs=3, verbose=0, shuffle=False)
        histories.append(history.history["loss"])
    assert histories[0] == histories[1]


@pytest.mark.parametrize("fade", ["margin", schedules.CosineDecay(1.0, 12)])
def test_a_saved_model_goes_on_fading_where_it_was(fade, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype("float32")
    y = rng.integers(100, size=64)
    loss = losses.MAEStar(num_classes=100, fade=fade)
    model = network(loss, 100)
    model.compile(keras.optimizers.SGD(2.0), loss)
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(x, y, **fit)
    model.save(tmp_path / "model.keras")
    expected = model.fit(x, y, **fit).history["loss"]
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.fading is again.layers[-1]
    assert again.loss.fading is not loss.fading
    assert again.fit(x, y, **fit).history["loss"] == pytest.approx(expected)
    np.testing.assert_allclose(
        ops.convert_to_numpy(again.loss.fading.progress),
        ops.convert_to_numpy(loss.fading.progress),
        rtol=1e-5,
    )


@pytest.mark.parametrize("copied", [copy.deepcopy, None, "pickle"])
@pytest.mark.once
def test_copies_and_configs_keep_the_fade(copied):
    loss = losses.GCE(q="auto", num_classes=100, fade=MarginFade(rate=0.25))
    if copied == "pickle":
        again = pickle.loads(pickle.dumps(loss))
    elif copied:
        again = copied(loss)
    else:
        again = losses.GCE.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    assert again.fading.fade.rate == 0.25
    assert again.fading is not loss.fading


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_margins_that_are_not_finite_move_nothing(broken):
    labels, logits = batch()
    loss = losses.MAE(
        logit_bias=3.0, fade="margin", from_logits=True, reduction=None
    )
    logits[2] = broken
    loss(labels, loss.connect(ops.convert_to_tensor(logits)))
    start = np.full(CLASSES, fresh_margin(CLASSES), "float32")
    y_pred = loss.fading(ops.convert_to_tensor(logits), training=True)
    loss(labels, y_pred)
    found = ops.convert_to_numpy(loss.fading.progress)
    assert np.all(np.isfinite(found))
    assert found[labels[2]] == start[0] or np.sum(labels == labels[2]) > 1
    assert np.any(found != start)


def test_a_fade_as_a_metric():
    loss = losses.MAEStar(num_classes=100, fade="margin")
    model = network(loss, 100)
    model.compile("sgd", loss, metrics=[loss])
    x, y = np.ones((16, 8)), np.arange(16)
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError, match="out of `metrics`"):
            model.fit(x, y, verbose=0)
    else:
        model.fit(x, y, verbose=0)
        value, metric = model.evaluate(x, y, verbose=0)
        assert metric == pytest.approx(value, rel=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone")
def test_a_callback_on_jax_is_told_to_take_the_state_back_first():
    loss, shares = losses.MAEStar(num_classes=CLASSES, fade=HALF), []
    model = network(loss)
    model.compile("sgd", loss)

    def read(batch, logs):
        with pytest.raises(ValueError, match=r"model\.jax_state_sync\(\)"):
            loss.fading.share()
        model.jax_state_sync()
        shares.append(float(loss.fading.share()))

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=read)
    model.fit(np.ones((4, 8)), np.arange(4), verbose=0, callbacks=[callback])
    assert shares == [0.5]


def test_a_second_model_begins_anew():
    fade = schedules.PolynomialDecay(1.0, 4, 0.0)
    loss = losses.MAEStar(num_classes=100, fade=fade)
    models = [network(loss, 100), network(loss, 100)]
    for model in models:
        model.compile("sgd", loss)
        model.fit(np.ones((16, 8)), np.arange(16), batch_size=8, verbose=0)
    for model in models:
        assert number(model.layers[-1].progress) == 2
    assert loss.fading is models[1].layers[-1]


@pytest.mark.parametrize("fade", [MarginFade(), MarginFade(per_class=False)])
def test_a_clip_does_not_hold_the_margins_down(fade):
    loss = losses.MAE(
        logit_bias=3.0, from_logits=True, logit_clip=1.0, fade=fade
    )
    labels = np.arange(CLASSES)
    known = ops.convert_to_tensor(20 * one_hot(labels))
    for _ in range(40):
        loss(labels, loss.fading(known, training=True))
    assert np.all(ops.convert_to_numpy(loss.fading.share()) == 0.0)


def test_losses_with_memory_fade_too():
    loss = losses.ELR(num_samples=16, logit_bias=2.0, fade="margin")
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    assert [layer.name.split("_")[0] for layer in model.layers[-2:]] == [
        "sample",
        "calibration",
    ]
    model.compile("sgd", loss)
    labels = losses.with_index(np.arange(16) % CLASSES)
    before = ops.convert_to_numpy(loss.fading.progress).copy()
    model.fit(np.ones((16, 8)), labels, verbose=0)
    assert not np.allclose(ops.convert_to_numpy(loss.fading.progress), before)


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_a_fade_goes_with_other_precisions(dtype):
    keras.config.set_dtype_policy(dtype)
    loss = losses.GCE(q="auto", num_classes=100, fade="margin")
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(100, activation="softmax", dtype="float32")(
        inputs
    )
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile("sgd", loss)
    x, y = np.ones((16, 8)), np.arange(16)
    history = model.fit(x, y, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert model.predict(x, verbose=0).dtype == "float32"


@pytest.mark.once
def test_calibration_looks_at_the_start_of_a_fade():
    fading = losses.MAEStar(num_classes=1000, fade="margin")
    assert fading.logit_bias == losses.MAEStar(num_classes=1000).logit_bias
    expected = pytest.approx(average_error(losses.MAE(), 10))
    assert average_error(fading, 1000) == expected


@pytest.mark.once
def test_without_a_state_outputs_stay_as_they_are():
    outputs = ops.ones((2, 3))
    assert losses.MAE().connect(outputs) is outputs
    assert losses.MAE().fading is None


@pytest.mark.once
def test_mistakes_are_named():
    with pytest.raises(ValueError, match='Expected "margin", a keras_noisy'):
        losses.MAEStar(num_classes=100, fade=5000)
    with pytest.raises(ValueError, match="nothing that could fade"):
        losses.MAE(fade="margin").connect(ops.ones((2, 3)))
    with pytest.raises(ValueError, match="at least 0"):
        losses.MAE(logit_bias=-1.0, fade="margin").connect(ops.ones((2, 3)))
    with pytest.raises(ValueError, match=r"`outputs = loss\.connect\(outputs"):
        losses.MAEStar(num_classes=3, fade="margin")([0], [[0.2, 0.3, 0.5]])
    with pytest.raises(ValueError, match="Pass `fade` to ActivePassive"):
        losses.ActivePassive(
            losses.NCE(), losses.GCE("auto", num_classes=50, fade="margin")
        )
    for bad in ({"quantile": 1.0}, {"rate": 0.0}, {"per_class": 1}):
        with pytest.raises(ValueError, match=f"`{next(iter(bad))}`"):
            MarginFade(**bad)


@pytest.mark.parametrize(
    "loss",
    [
        losses.MAEStar(num_classes=3, fade="margin"),
        losses.ELR(num_samples=4),
        losses.OGC(),
        losses.SmallLoss(losses.MAE(), keep="mixture"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_in_fit_a_loss_says_that_it_is_not_connected(loss):
    # Keras on PyTorch runs a step that fails a second time, without values.
    softmax = keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((2,)), softmax])
    model.compile("sgd", loss)
    y = np.arange(4) % 3
    if isinstance(loss, losses.MemoryLoss):
        y = losses.with_index(y)
    with pytest.raises(ValueError, match=r"`outputs = loss\.connect\(outputs"):
        model.fit(np.ones((4, 2)), y, verbose=0)
