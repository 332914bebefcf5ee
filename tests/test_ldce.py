"""LDCE: a step of its program, saving, resuming, many classes, mistakes."""

import json

import keras
import numpy as np
import pytest
from helpers import TESTS, reference
from interrupted import Stop, assert_same
from keras import ops
from precision import TOLERANCE, both_dtypes, precision

from keras_noisy import GCE, CrossEntropy, losses
from keras_noisy.callbacks import Resume
from keras_noisy.datasets import trusted_and_noisy
from keras_noisy.training import LDCE

GOLDEN = json.loads((TESTS / "golden_ldce.json").read_text())["detect"]
CE = CrossEntropy(from_logits=True)
#: XLA needs long to compile steps that run only a few times.
FAST = {"jit_compile": keras.backend.backend() == "jax"}
PARTS = ("support", "query", "noisy")


def encoder(size, units=3):
    tanh = keras.layers.Dense(units, activation="tanh", use_bias=False)
    return keras.Sequential([keras.Input((size,)), tanh])


def golden_step(dtype):
    """The model, the inputs and their labels."""
    model = LDCE(encoder(4), 3, 6, n_way=3)
    W, H, b = (
        np.array(GOLDEN[name]) for name in ("encoder_W", "head_W", "head_b")
    )
    model.encoder.set_weights([W.T])
    model.head.set_weights([H.T, b])
    x = np.concatenate([GOLDEN[f"{part}_x"] for part in PARTS]).astype(dtype)
    known = {
        "label": [*np.repeat(range(3), 5), *GOLDEN["query_y"]],
        "index": 19 * [0] + list(range(6)),
        "part": np.repeat([0, 1, 2], [15, 4, 6]),
    }
    known["label"] += GOLDEN["noisy_y"]
    y = {name: np.array(values, "int32") for name, values in known.items()}
    state = model.memory.state("confidence_per_sample")
    state.assign(np.array([*GOLDEN["confidence_before"], 0])[:, None])
    return model, x, y


@pytest.fixture
def floatx():
    yield keras.config.set_floatx
    keras.config.set_floatx("float32")


@both_dtypes
def test_a_step_is_that_of_the_program(dtype, floatx):
    floatx(dtype)  # The compiled losses depend on it.
    keras.config.set_dtype_policy(dtype)
    with precision(dtype):
        model, x, y = golden_step(dtype)
        before = [w.astype("float64") for w in model.get_weights()[:3]]
        loss = CrossEntropy(from_logits=True, dtype=dtype)
        model.compile(keras.optimizers.SGD(1.0), loss, **FAST)
        logs = model.train_on_batch(x, y, return_dict=True)
        after = model.get_weights()[:3]
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    total = GOLDEN["loss_similarity"] + GOLDEN["loss_classification"]
    assert logs["loss"] == pytest.approx(total, rel=1e-5)
    similarity = GOLDEN["loss_similarity"]
    assert logs["similarity_loss"] == pytest.approx(similarity, rel=1e-5)
    assert logs["confident"] == pytest.approx(GOLDEN["n_valid"] / 6)
    np.testing.assert_allclose(
        model.confidence(), GOLDEN["confidence_after"], **tolerance
    )
    for name, old, new in zip(
        ("encoder_W", "head_W", "head_b"), before, after, strict=True
    ):
        slope = np.array(GOLDEN[f"grad_{name}"])
        np.testing.assert_allclose((old - new).T, slope, **tolerance)


@pytest.mark.once
def test_confidence_of_any_sample_and_what_is_not_meant():
    model, x, y = golden_step("float32")
    found = model.label_confidence(
        x[19:], y["label"][19:], x[:15], y["label"][:15]
    )
    wanted = GOLDEN["confidence_of_batch (formula)"]
    np.testing.assert_allclose(found, wanted, 1e-4, 1e-6)
    found = model.confidence(trusted=[1, 2])
    np.testing.assert_allclose(found, [0, 1, 1, 0.8, 0.7, 0.2], 1e-6)
    model.compile("sgd", CE, **FAST)
    outputs = model(x, training=True)
    for name, place, value in (("part", 0, 1), ("index", 20, 6)):
        bad = {n: v.copy() for n, v in y.items()}
        bad[name][place] = value
        bad = {n: ops.convert_to_tensor(v) for n, v in bad.items()}
        loss = model.compute_loss(x, bad, outputs)
        assert np.isnan(float(ops.convert_to_numpy(loss)))


def blobs(count=96, num_classes=3, seed=0):
    """Samples, the first third trusted, with some wrong labels in the rest."""
    rng = np.random.default_rng(seed)
    clean = np.arange(count) % num_classes
    x = np.eye(num_classes)[clean] + 0.2 * rng.normal(size=(count, num_classes))
    labels, trusted = clean.copy(), np.arange(count // 3)
    wrong = np.arange(count // 3, count, 3)
    labels[wrong] = (clean[wrong] + 1) % num_classes
    return x.astype("float32"), labels, trusted, wrong


def run(folder, *callbacks, seed=0):
    keras.utils.set_random_seed(seed)
    x, labels, trusted, _ = blobs()
    model = LDCE(encoder(3), 3, 96, shots=4, n_way=2)
    model.compile(
        keras.optimizers.SGD(0.1, 0.9),
        GCE(0.7, from_logits=True),
        metrics=["accuracy"],
        **FAST,
    )
    resume = Resume(folder)
    data = trusted_and_noisy(
        *((x, labels), trusted, 16),
        shots=4,
        queries=8,
        start=resume.start,
    )
    model.fit(
        data,
        epochs=4,
        initial_epoch=resume.initial_epoch,
        validation_data=(x, blobs()[1]),
        shuffle=False,
        callbacks=[*callbacks, resume],
        verbose=0,
    )
    return model, resume.history


def test_finds_wrong_labels_and_is_saved(tmp_path):
    whole, history = run(tmp_path / "whole")
    _, _, trusted, wrong = blobs()
    confidence = whole.confidence(trusted)
    right = np.setdiff1d(np.arange(32, 96), wrong)
    assert confidence[right].min() > confidence[wrong].max()
    assert history["confident"][0] == 0 < history["confident"][-1]
    assert {"val_loss", "val_accuracy"} == {n for n in history if "val" in n}
    subsets = np.asarray(ops.convert_to_numpy(whole.subsets))
    assert (subsets.sum(1) == 2).all() and (np.diag(subsets) == 1).all()

    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config().keys() == whole.get_config().keys()
    assert_same(loaded.get_weights(), whole.get_weights())
    x, y = blobs()[:2]
    logits = loaded.predict(x, verbose=0)
    gce = reference.gce(np.eye(3)[y], logits).mean()
    assert history["val_loss"][-1] == pytest.approx(gce, rel=1e-4)


@pytest.mark.once
def test_a_run_goes_on(tmp_path):
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Stop())
    found = run(tmp_path / "parts", seed=1)[0]
    assert_same(found.get_weights(), whole.get_weights())


def test_other_data_and_losses_are_refused():
    x, labels, trusted, _ = blobs()
    data = trusted_and_noisy((x, labels), trusted, 16, 4, queries=8)
    model = LDCE(encoder(3), 3, 96, shots=4)
    model.compile("sgd", CE, **FAST)
    for arguments, message in (
        ({"y": labels, "x": x}, "Expected batches of .*trusted_and_noisy"),
        ({"x": data, "class_weight": {0: 2.0}}, "`class_weight`"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(**arguments, verbose=0)
    for loss, message in (
        (CrossEntropy(), "a loss of logits"),
        ("sparse_categorical_crossentropy", "a loss of logits"),
        (keras.losses.sparse_categorical_crossentropy, "a loss of logits"),
        ([CrossEntropy()], "a loss of logits"),
        (losses.ELR(96, from_logits=True), "has a memory or a fade"),
        (losses.SmallLoss(losses.GCE()), "which is for probabilities"),
        (CrossEntropy(from_logits=True, reduction="sum"), "`reduction`"),
    ):
        model.compile("sgd", loss, **FAST)
        with pytest.raises(ValueError, match=message):
            model.fit(data, verbose=0)


@pytest.mark.once
def test_bad_arguments_of_ldce():
    good = {"encoder": encoder(3), "num_classes": 3, "num_samples": 96}
    image = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.ReLU()])
    for name, value in {
        "encoder": keras.Sequential(),
        "num_classes": 1,
        "num_samples": 0,
        "shots": 0,
        "n_way": 1,
        "smoothing": 1.0,
        "threshold": 1.5,
        "seed": -1,
    }.items():
        with pytest.raises(ValueError, match=f"`{name}`"):
            LDCE(**{**good, name: value})
    with pytest.raises(ValueError, match="GlobalAveragePooling2D"):
        LDCE(**{**good, "encoder": image})

    class Own(keras.Model):
        pass

    own = Own()
    own.built = True
    with pytest.raises(ValueError, match=r"sequential model.*Own"):
        LDCE(**{**good, "encoder": own})
    x, labels, trusted, _ = blobs()
    data = trusted_and_noisy((x, labels), trusted, 16, 4, queries=8)
    for sizes in ({"shots": 5}, {"num_samples": 95}, {"num_classes": 4}):
        model = LDCE(**{**good, "shots": 4, **sizes})
        model.compile("sgd", CE)
        with pytest.raises(ValueError, match=f"`{next(iter(sizes))}`"):
            model.fit(data)
    for arguments, message in (
        ((x, labels, x[:2], [0, 1]), r"`shot_labels`.*none of \[2, 3\]"),
        ((x, labels[1:], x, labels), "`labels`"),
        ((x, labels, x, labels + 1), "`shot_labels`"),
    ):
        with pytest.raises(ValueError, match=message):
            model.label_confidence(*arguments)
