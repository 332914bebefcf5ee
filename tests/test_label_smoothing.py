"""`label_smoothing` and `balance` of every loss."""

import keras
import numpy as np
import pytest
import reference
from helpers import (
    KINDS,
    build,
    catalogue_shared,
    gradient,
    number,
    values,
)
from keras import ops

from keras_noisy import losses
from keras_noisy.losses import ELR, SELC, SOP, GivenLabelLoss, with_index

RATE, CLASSES = 0.3, 6


def batch(rows=7, seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, CLASSES)).astype("float32")
    return rng.integers(CLASSES, size=rows), logits


def by_hand(targets):
    return ((1 - RATE) * targets + RATE / CLASSES).astype("float32")


TRANSFORMS = ({}, {"logit_bias": 1.5}, {"margin_scale": 0.5})


@catalogue_shared
def test_it_is_the_loss_of_soft_targets(name):
    labels, logits = batch()
    one_hot = reference.one_hot(labels, CLASSES)
    soft = np.random.default_rng(1).dirichlet(np.ones(CLASSES), 7)
    for transforms in TRANSFORMS:
        shared = {"from_logits": True, **transforms}
        try:
            plain = build(name, CLASSES, **shared)
        except ValueError:  # A loss of the whole distribution has no scale.
            assert "margin_scale" in transforms
            continue
        smooth = build(name, CLASSES, label_smoothing=RATE, **shared)
        for y, targets in (
            (labels, one_hot),
            (one_hot.astype("float32"), one_hot),
            (soft.astype("float32"), soft),
        ):
            np.testing.assert_allclose(
                values(smooth, y, logits),
                values(plain, by_hand(targets), logits),
                rtol=3e-5,
                atol=1e-5,
                err_msg=str(transforms),
            )


def slope(loss, y, logits):
    found = gradient(lambda z: ops.sum(loss.call(y, z)), logits)
    return ops.convert_to_numpy(found)


def test_gradients_of_smooth_labels_are_those_of_soft_targets():
    labels, logits = batch()
    y = by_hand(reference.one_hot(labels, CLASSES))
    z = ops.convert_to_tensor(logits)
    far = ops.convert_to_tensor(logits * 1e4)
    for name in KINDS:
        shared = {"from_logits": True, "balance": 0.5}
        smooth = build(name, CLASSES, label_smoothing=RATE, **shared)
        plain = build(name, CLASSES, **shared)
        ours, theirs = slope(smooth, labels, z), slope(plain, y, z)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    loss = losses.GCE(from_logits=True, label_smoothing=RATE, balance=0.5)
    assert np.isfinite(slope(loss, labels, far)).all()


def test_smooth_labels_leave_out_what_labels_leave_out():
    labels, logits = batch()
    labels[[1, 4]] = -1, 99
    loss = losses.GCE(
        from_logits=True, ignore_class=-1, label_smoothing=RATE, balance=2.0
    )
    found = values(loss, labels, logits)
    assert np.isnan(found[4])
    kept = [0, 2, 3, 5, 6]
    p = reference.softmax(logits[kept].astype("float64"))
    mean = p.mean(0)
    term = np.log(CLASSES) + (mean * np.log(mean)).sum()
    soft = by_hand(reference.one_hot(labels[kept], CLASSES))
    exact = reference.gce(soft, logits[kept].astype("float64"), q=0.7)
    np.testing.assert_allclose(found[kept], exact + 2 * term, rtol=1e-5)
    assert values(losses.MAE(balance=1.0), [0, 1], np.eye(2)) == pytest.approx(
        0, abs=1e-6
    )
    assert values(
        losses.MAE(balance=1.0), [0, 0], np.eye(2)[[0, 0]]
    ) == pytest.approx(np.log(2))


def soft_elr(t, p):
    mean = 0.3 * p
    penalty = 3.0 * np.log(1 - (p * mean).sum(1))
    return reference.cross_entropy(t, np.log(p)) + penalty


def soft_selc(t, p):
    return reference.cross_entropy(0.9 * t + 0.1 * p, np.log(p))


def soft_sop(t, p):
    rest = reference.one_hot_argmax(p) - t
    return reference.cross_entropy(t, np.log(p)) + (rest**2).sum(1)


@pytest.mark.parametrize(
    ("loss_class", "formula", "arguments"),
    [
        (ELR, soft_elr, {}),
        pytest.param(SELC, soft_selc, {"start": 0}, marks=pytest.mark.once),
        pytest.param(SOP, soft_sop, {}, marks=pytest.mark.once),
    ],
)
def test_losses_with_memory_smooth_their_labels(loss_class, formula, arguments):
    labels, logits = batch(rows=8)
    p = reference.softmax(logits.astype("float64"))
    t = by_hand(reference.one_hot(labels, CLASSES)).astype("float64")
    inner = loss_class(
        8, from_logits=True, label_smoothing=RATE, reduction=None, **arguments
    )
    outputs = inner.connect(ops.convert_to_tensor(logits))
    loss = GivenLabelLoss(inner)
    clean = np.zeros((8, 1), int)
    pairs = np.concatenate([with_index(labels), clean], axis=1)
    outputs = inner.memory(outputs, training=True)
    found = ops.convert_to_numpy(loss(pairs, outputs))
    np.testing.assert_allclose(found, formula(t, p), rtol=1e-3)
    # Outside training it is cross-entropy of the same targets.
    outputs = inner.memory(outputs, training=False)
    found = ops.convert_to_numpy(loss(pairs, outputs))
    exact = reference.cross_entropy(t, np.log(p))
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_a_smoothed_loss_trains_and_is_saved(tmp_path):
    labels, x = batch(rows=32)
    loss = losses.ActivePassive(
        losses.GCE(), losses.MAE(), label_smoothing=RATE, balance=0.2
    )
    model = keras.Sequential(
        [keras.Input((CLASSES,)), keras.layers.Dense(CLASSES, "softmax")]
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    p = model.predict(x, verbose=0)
    exact = number(loss(labels, p))
    soft = by_hand(reference.one_hot(labels, CLASSES))
    parts = values(losses.GCE(), soft, p) + values(losses.MAE(), soft, p)
    mean = p.mean(0)
    term = np.log(CLASSES) + (mean * np.log(mean)).sum()
    assert exact == pytest.approx(parts.mean() + 0.2 * term, rel=1e-5)
    history = model.fit(x, labels, batch_size=32, verbose=0)
    assert history.history["loss"][0] == pytest.approx(exact, rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, labels, verbose=0) == pytest.approx(exact)


@pytest.mark.once
def test_what_smoothing_refuses():
    for name, bad in (
        ("label_smoothing", (-0.1, 1.1, None, "auto")),
        ("balance", (-1, None, float("nan"))),
    ):
        for value in bad:
            with pytest.raises(ValueError, match=rf"`{name}`.*Received"):
                losses.GCE(**{name: value})
        with pytest.raises(ValueError, match=f"`{name}` to ActivePassive"):
            losses.ActivePassive(losses.NCE(**{name: 0.5}), losses.MAE())
