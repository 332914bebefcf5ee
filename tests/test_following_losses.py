"""Losses that follow the losses of the last batches: OGC and SmallLoss."""

import pickle

import keras
import numpy as np
import pytest
import reference
from helpers import compiled, gradient, number, values
from keras import ops

from keras_noisy import losses
from keras_noisy.layers import LossHistory, without_state
from keras_noisy.losses import (
    OGC,
    CrossEntropy,
    SmallLoss,
    _clipped,
    _mixture,
)

BASE = _clipped.Base("cross_entropy", 0.0, 1.0)
CLASSES, LEAST, MOST = 5, 1e-7, -np.log(1e-7)


def data(rows=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8)).astype("float32")
    return x, rng.integers(CLASSES, size=rows)


def network(loss, learning_rate=0.0):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    outputs = keras.layers.Dense(
        CLASSES, kernel_initializer=keras.initializers.RandomNormal(0, 2.0)
    )(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile(keras.optimizers.SGD(learning_rate), loss)
    return model


def two_gaussians(x, steps=20):
    """Mean, variance and share of each Gaussian, the small losses first."""
    high = (x > x.mean()).astype("float64")
    for step in range(steps + 1):
        weight = np.stack([1 - high, high])
        share = weight.sum(1) / len(x)
        mean = weight @ x / weight.sum(1)
        square = (x - mean[:, None]) ** 2
        variance = (weight * square).sum(1) / weight.sum(1) + 1e-6
        if step < steps:
            density = share[:, None] / np.sqrt(variance[:, None])
            density = density * np.exp(-square.T.T / 2 / variance[:, None])
            high = density[1] / density.sum(0)
    order = np.argsort(mean)
    return mean[order], variance[order], share[order]


SLOPES = {
    "cross_entropy": lambda ce: np.exp(ce),
    "gce": lambda ce: np.exp(0.3 * ce),
    "focal": lambda ce: (
        0.5 * ce * (-np.expm1(-ce)) ** -0.5
        + (-np.expm1(-ce)) ** 0.5 * np.exp(ce)
    ),
}
VALUES = {
    "cross_entropy": lambda p: -np.log(p),
    "gce": lambda p: (1 - p**0.7) / 0.7,
    "focal": lambda p: -((1 - p) ** 0.5) * np.log(p),
}


def exact_level(x, target, slope):
    """By sums over many points of the two truncated Gaussians."""
    mean, variance, _ = two_gaussians(x)
    points = np.linspace(LEAST, MOST, 20_001)
    density = np.exp(-((points - mean[:, None]) ** 2) / 2 / variance[:, None])
    density /= density.sum(1, keepdims=True)
    low, high = LEAST, MOST
    for _ in range(40):
        level = (low + high) / 2
        clean, noisy = (density * slope(np.minimum(points, level))).sum(1)
        low, high = (low, level) if noisy / clean > target else (level, high)
    return high


def sample_losses(rows=512):
    rng = np.random.default_rng(1)
    clean = np.abs(rng.normal(0.5, 0.4, size=rows // 2))
    return np.concatenate([clean, rng.normal(4.0, 1.5, size=rows // 2)])


def test_the_threshold_is_where_the_ratio_is_the_target():
    x = np.clip(sample_losses(), LEAST, MOST)
    tensor = ops.convert_to_tensor(x, "float32")
    found = _mixture.fitted(tensor)
    for ours, exact in zip(found, two_gaussians(x), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(ours), exact, 1e-3)
    cases = [("cross_entropy", 1.01), ("gce", 1.5), ("focal", 3.0)]

    def levels(x):
        return [
            _clipped.threshold(x, target, _clipped.Base(kind, 0.5, 0.7))
            for kind, target in cases
        ]

    for (kind, target), level in zip(
        cases, compiled(levels)(tensor), strict=True
    ):
        exact = exact_level(x, target, SLOPES[kind])
        assert number(level) == pytest.approx(exact, rel=5e-3, abs=3e-3), kind
    # Equal losses and equal Gaussians, which no threshold tells apart.
    same = _clipped.threshold(ops.full((64,), 2.0), 1.1, BASE)
    assert number(same) == pytest.approx(MOST)


@pytest.mark.parametrize("kind", SLOPES)
def test_values_and_gradients_of_a_clipped_loss(kind):
    level = 1.2
    z = np.array([[0, 0, 0], [2, 0, 1], [-1, 3, 0], [-50, 3, 0], [90, 0, 0]])
    p = reference.softmax(z.astype("float64"))[:, 0]
    value, slope, cut = VALUES[kind], SLOPES[kind](level), np.exp(-level)
    line = value(cut) + slope * (cut - p)
    one = np.clip(p, 1e-30, 1 - 1e-16)
    exact = np.where(p >= cut, value(one), line)
    loss = OGC(kind, from_logits=True, history_size=2, reduction=None)
    outputs = loss.connect(ops.convert_to_tensor(z, "float32"))
    loss.history.fitted.assign([level])
    assert loss.threshold() == pytest.approx(slope, rel=1e-5)
    labels = np.zeros(len(z), int)
    found = ops.convert_to_numpy(loss(labels, outputs))
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-6)
    slopes = gradient(lambda z: ops.sum(loss.call(labels, z)), outputs)
    slopes = ops.convert_to_numpy(slopes)
    assert np.all(np.isfinite(slopes)) and abs(slopes[3]).max() < 1e-6
    soft = values(loss, reference.one_hot(labels, 3).astype("float32"), outputs)
    np.testing.assert_allclose(soft, found, rtol=1e-5, atol=1e-6)


def test_ogc_follows_its_queue():
    x, labels = data()
    loss = OGC(
        from_logits=True,
        epsilon=5.0,
        history_size=48,
        update_every=2,
        learning_rate=keras.optimizers.schedules.ExponentialDecay(0.2, 1, 0.5),
        ignore_class=-1,
    )
    model = network(loss)
    labels[::9] = -1
    z = model.predict(x, verbose=0).astype("float64")
    log_p = reference.log_softmax(z)[np.arange(64), labels]
    seen = np.clip(-log_p, LEAST, MOST)[labels >= 0]
    history = model.fit(x, labels, 16, epochs=1, shuffle=False, verbose=0)
    # 56 of 64 samples count: the queue of 48 is full with the last batch.
    queue = ops.convert_to_numpy(loss.history.queue)
    np.testing.assert_allclose(queue, seen[-48:], rtol=1e-5, atol=1e-6)
    assert history.history["loss"][0] == pytest.approx(seen.mean(), rel=0.3)
    level = exact_level(seen[-48:], 1 + 5.0 * 0.2 * 0.5**3, np.exp)
    found = ops.convert_to_numpy(loss.history.numbers())[0]
    assert found == pytest.approx(level, rel=2e-2)
    assert LEAST < level < MOST
    # Outside training the threshold holds, and nothing is written.
    weights = model.get_weights()
    p, cut = np.exp(log_p[labels >= 0]), np.exp(-found)
    exact = np.where(p >= cut, -np.log(p), found + 1 - p / cut).mean()
    value = model.evaluate(x, labels, batch_size=64, verbose=0)
    assert value == pytest.approx(exact, rel=1e-4)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_saved_model_goes_on_with_its_history(tmp_path):
    x, labels = data()
    loss = OGC(history_size=32, update_every=1, from_logits=True)
    model = network(loss, 0.1)
    fit = {"batch_size": 16, "shuffle": False, "verbose": 0}
    model.fit(x, labels, **fit)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.history is again.layers[-1]
    assert again.loss.get_config() == loss.get_config()
    for one in (model, again):
        one.fit(x, labels, **fit)
    for ours, theirs in zip(
        model.get_weights(), again.get_weights(), strict=True
    ):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    assert loss.threshold() < 1e6
    assert len(without_state(model).get_weights()) == 2


@pytest.mark.once
def test_what_ogc_refuses():
    p = np.full((2, 3), 1 / 3, "float32")
    with pytest.raises(ValueError, match=r"`OGC` has a history.*loss\.connect"):
        OGC()([0, 1], p)
    with pytest.raises(ValueError, match=r"`base`.*cross_entropy.*'mae'"):
        OGC("mae")
    for rate in (0, "cosine", None):
        with pytest.raises(ValueError, match=r"`learning_rate`.*schedule"):
            OGC(learning_rate=rate)
    with pytest.raises(ValueError, match="log-softmax of one prediction"):
        losses.ActivePassive(OGC(), losses.MAE())
    fresh = OGC("gce", q=0.5, logit_bias="auto", num_classes=100).logit_bias
    assert (
        fresh == losses.GCE(0.5, logit_bias="auto", num_classes=100).logit_bias
    )


@pytest.mark.once
def test_the_queue_holds_the_last_losses_in_order():
    layer = LossHistory(4, [0.0])
    layer.build((None, 3))
    for batch in ([1, 2], [3, np.nan, 4], [5, 6, 7, 8, 9, 10]):
        x = ops.convert_to_tensor(batch, "float32")
        layer.observe(x, ops.ones_like(x, "bool"), lambda q: ops.sum(q)[None])
        last = ops.convert_to_numpy(layer.queue)
        sums = number(layer.numbers()[0])
        if batch[-1] == 4:
            assert last.tolist() == [1, 2, 3, 4] and sums == 10
    assert last.tolist() == [7, 8, 9, 10] and sums == 34


def test_the_smallest_losses_of_a_batch_are_kept():
    _, labels = data(10)
    z = 3 * np.random.default_rng(0).normal(size=(10, CLASSES))
    z = z.astype("float32")
    labels[2] = -1
    weights = np.array([1, 1, 1, 0, 2, 1, 1, 1, 3, 1], "float32")
    ce = CrossEntropy(from_logits=True, ignore_class=-1)
    each = values(ce, labels, z).astype("float64")
    for sample_weight in (None, weights):
        one = np.ones(10) if sample_weight is None else weights
        counted = np.where((labels >= 0) & (one > 0), each, np.inf)
        count = np.isfinite(counted).sum()
        for keep in (1.0, 0.7, 0.01):
            kept = np.argsort(counted)[: max(1, int(keep * count))]
            exact = (one * each)[kept].sum() / len(kept)
            # Keras divides by samples of weight 0 too.
            exact *= count / (labels >= 0).sum()
            loss = SmallLoss(ce, keep)
            found = number(loss(labels, z, sample_weight))
            assert found == pytest.approx(exact, rel=1e-5), keep
    loss = SmallLoss(CrossEntropy(from_logits=True, reduction=None), 0.5)
    labels[2] = 0
    slope = gradient(
        lambda z: ops.sum(loss(labels, z)), ops.convert_to_tensor(z)
    )
    kept = np.abs(ops.convert_to_numpy(slope)).sum(1) > 0
    each = values(loss.loss, labels, z)
    assert kept.sum() == 5 and each[kept].max() < each[~kept].min()
    np.testing.assert_allclose(
        ops.convert_to_numpy(loss(labels, z)), np.where(kept, each, 0.0), 1e-5
    )
    broken = z.copy()
    broken[0] = np.nan  # NaN is noticed, and does not count as a large loss.
    assert np.isnan(number(SmallLoss(ce, 0.5)(labels, broken)))


def test_the_share_follows_its_schedule():
    x, labels = data()
    keep = keras.optimizers.schedules.PolynomialDecay(1.0, 3, 0.25)
    loss = SmallLoss(CrossEntropy(from_logits=True), keep)
    model = network(loss)
    z = model.predict(x, verbose=0)
    each = values(loss.loss, labels, z).reshape(4, 16)
    exact = [
        np.sort(part)[:count].mean()
        for part, count in zip(each, (16, 12, 8, 4), strict=True)
    ]
    history = model.fit(x, labels, 16, shuffle=False, verbose=0)
    assert history.history["loss"][0] == pytest.approx(np.mean(exact), rel=1e-5)
    value = model.evaluate(x, labels, batch_size=64, verbose=0)
    assert value == pytest.approx(np.sort(each.ravel())[:16].mean(), rel=1e-5)


def test_a_mixture_weighs_the_samples(tmp_path):
    x, labels = data()
    loss = SmallLoss(
        CrossEntropy(from_logits=True),
        "mixture",
        history_size=64,
        update_every=4,
    )
    model = network(loss)
    z = model.predict(x, verbose=0)
    each = values(loss.loss, labels, z).astype("float64")
    history = model.fit(x, labels, 16, shuffle=False, verbose=0)
    mean, variance, share = two_gaussians(each)

    def weighted(each):
        at = np.maximum(each, mean[0])[:, None]
        density = share * np.exp(-((at - mean) ** 2) / 2 / variance)
        density /= np.sqrt(variance)
        weight = density[:, 0] / density.sum(1)
        return (weight * each).sum() / weight.sum()

    # The fit is of the fourth batch, and the batches before have all samples.
    exact = [*each.reshape(4, 16).mean(1)[:3], weighted(each[48:])]
    assert history.history["loss"][0] == pytest.approx(np.mean(exact), rel=1e-3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, again):
        value = one.evaluate(x, labels, batch_size=64, verbose=0)
        assert value == pytest.approx(weighted(each), rel=1e-3)


@pytest.mark.once
def test_small_losses_of_a_loss_with_memory_and_what_is_refused():
    x, labels = data()
    elr = losses.ELR(64, from_logits=True)
    loss = SmallLoss(elr, 0.5)
    model = network(loss)
    model.fit(x, losses.with_index(labels), verbose=0)
    assert np.all(ops.convert_to_numpy(elr.memory.state("targets"))[:-1] > 0)
    again = pickle.loads(pickle.dumps(loss))
    assert again.get_config() == loss.get_config()
    for keep in (0, 1.5, "some", None):
        with pytest.raises(ValueError, match=r"`keep`.*schedule.*mixture"):
            SmallLoss(losses.MAE(), keep)
    with pytest.raises(ValueError, match=r"`loss`.*a loss of one label"):
        SmallLoss(keras.losses.MeanSquaredError())
    p = np.full((2, 3), 1 / 3, "float32")
    with pytest.raises(ValueError, match=r"`SmallLoss` has a history.*connect"):
        SmallLoss(losses.MAE(), "mixture")([0, 1], p)


@pytest.mark.once
def test_a_symmetrized_loss():
    """Its sum over all labels is 0, and of cross-entropy it is a known one."""
    z = np.random.default_rng(0).normal(size=(6, CLASSES)).astype("float32")
    found = [
        values(losses.Symmetrized(inner, from_logits=True), np.full(6, k), z)
        for inner in (losses.CrossEntropy(), losses.AUL())
        for k in range(CLASSES)
    ]
    # AUL is the difference of larger numbers than cross-entropy.
    for part, atol in ((found[:CLASSES], 1e-5), (found[CLASSES:], 2e-5)):
        np.testing.assert_allclose(sum(part), 0, atol=atol)
    cores = losses.CORES(beta=1.0, from_logits=True)
    np.testing.assert_allclose(found[0], values(cores, [0] * 6, z), rtol=1e-5)
    with pytest.raises(ValueError, match=r"`loss`.*true-class.*`GCE\(\)`"):
        losses.Symmetrized(losses.NCE())
    with pytest.raises(ValueError, match="`logit_bias` to Symmetrized"):
        losses.Symmetrized(losses.MAE(logit_bias=1.0))
    with pytest.raises(ValueError, match=r"`mode`.*reweight.*'back'"):
        losses.ForwardCorrection(np.eye(2), mode="back")
