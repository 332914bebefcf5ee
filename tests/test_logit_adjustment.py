"""The prior of every loss: values, saving, errors, calibration."""

import keras
import numpy as np
import pytest
from helpers import gradient, number, values

from keras_noisy import losses
from keras_noisy.calibration import (
    average_error,
    calibrate,
    matched_hyperparameter,
    matched_logit_bias,
)
from keras_noisy.datasets import sample_weights

COUNTS = [50.0, 30.0, 15.0, 5.0]
LONG_TAIL = np.geomspace(500, 5, 60)


def test_an_adjusted_network_predicts_as_if_classes_were_even():
    """The gradient is 0 on average if the outputs are the even posterior.

    Half of the samples see each input, whose labels follow Bayes' rule.
    """
    even = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    given = even * COUNTS
    given /= given.sum(axis=1, keepdims=True)
    loss = losses.CrossEntropy(from_logits=True, logit_adjustment=COUNTS)
    slope = gradient(
        lambda z: loss.call(given.astype("float32"), z),
        np.log(even).astype("float32"),
    )
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_counts_shares_and_tau_with_logits_and_probabilities():
    p = np.array([[0.1, 0.2, 0.3, 0.4]], "float32")
    exact = p[0] * np.array(COUNTS) ** 0.5
    exact = -np.log(exact[3] / exact.sum())
    shares = np.array(COUNTS) / 100
    for prior in (COUNTS, shares, tuple(shares)):
        for z, is_logits in ((np.log(p), True), (p, False)):
            loss = losses.CrossEntropy(
                from_logits=is_logits, logit_adjustment=prior, tau=0.5
            )
            assert values(loss, [3], z)[0] == pytest.approx(exact, rel=1e-5)
    none = losses.GCE(logit_adjustment=COUNTS, tau=0.0)
    plain = values(losses.GCE(), [3], p)
    np.testing.assert_allclose(values(none, [3], p), plain, rtol=1e-6)


@pytest.mark.once
def test_a_tau_of_the_loss_itself_is_not_that_of_the_prior():
    p = np.array([[0.1, 0.2, 0.3, 0.4]], "float32")
    exact = values(losses.PHuberCE(tau=3.0, logit_adjustment=COUNTS), [0], p)
    adjusted = p * COUNTS
    adjusted /= adjusted.sum()
    plain = values(losses.PHuberCE(tau=3.0), [0], adjusted)
    np.testing.assert_allclose(exact, plain, rtol=1e-5)


@pytest.mark.once
def test_equal_counts_change_nothing_even_beyond_a_softmax():
    z = np.array([[1.0, -2.0, 3.0, 0.0]], "float32")
    for kind in (losses.LDRKL, losses.BiTempered, losses.SCE):
        plain = values(kind(from_logits=True), [1], z)
        even = kind(from_logits=True, logit_adjustment=[7] * 4)
        np.testing.assert_allclose(values(even, [1], z), plain, rtol=1e-6)


def test_trains_saves_and_tells_the_number_of_classes(tmp_path):
    loss = losses.get("NCE+RCE", logit_adjustment=COUNTS, tau=1.5)
    assert loss.num_classes == 4 and loss.logit_adjustment == COUNTS
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4, activation="softmax")]
    )
    model.compile("sgd", loss)
    x, y = np.ones((8, 2), "float32"), np.arange(8) % 4
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").loss
    assert again.get_config() == loss.get_config()
    assert (again.logit_adjustment, again.tau) == (COUNTS, 1.5)
    before, after = number(loss(y, model(x))), number(again(y, model(x)))
    assert after == pytest.approx(before)


@pytest.mark.once
def test_mistakes_are_named():
    for bad in ([5], [5, 0], [5, -1], "auto", 3.0, [[5, 3]]):
        with pytest.raises(ValueError, match="`logit_adjustment`"):
            losses.MAE(logit_adjustment=bad)
    with pytest.raises(ValueError, match="num_classes=3"):
        losses.MAE(num_classes=3, logit_adjustment=COUNTS)
    with pytest.raises(ValueError, match="4"):
        losses.MAE(logit_adjustment=COUNTS)([0], [[0.5, 0.25, 0.25]])
    with pytest.raises(ValueError, match="`tau`"):
        losses.MAE(tau=-1.0)
    with pytest.raises(ValueError, match="to ActivePassive, not to its"):
        losses.ActivePassive(losses.NCE(logit_adjustment=COUNTS), losses.MAE())
    with pytest.raises(ValueError, match="`logit_adjustment=None`"):
        average_error(losses.MAE(logit_adjustment=COUNTS), 10)


@pytest.mark.once
def test_counts_of_a_table_are_in_the_order_of_the_classes():
    pandas = pytest.importorskip("pandas")
    counts = pandas.Series([1, 0, 1, 2, 1, 0]).value_counts()
    assert counts.index.tolist() == [1, 0, 2]
    ordered = losses.MAE(logit_adjustment=counts.sort_index())
    assert ordered.logit_adjustment == [2, 3, 1]
    for take in (
        lambda given: losses.MAE(logit_adjustment=given),
        lambda given: losses.PeerLoss(prior=given / 6),
        lambda given: sample_weights([0, 1, 2], 1 / given),
    ):
        take(counts.sort_index())
        take(counts.to_numpy())
        with pytest.raises(ValueError, match=r"\[1, 0, 2\].*np.bincount"):
            take(counts)
        # Class 1 never occurs.
        with pytest.raises(ValueError, match=r"\[0, 2, 3\].*np.bincount"):
            take(counts.sort_index().set_axis([0, 2, 3]))


def sampled_error(loss, prior, z, rows=20_000):
    """The definition: labels by the prior, other logits normal."""
    rng = np.random.default_rng(1)
    labels = rng.choice(len(prior), rows, p=prior / prior.sum())
    logits = rng.normal(size=(rows, len(prior))).astype("float32")
    logits[np.arange(rows), labels] = z
    slopes = gradient(lambda x: loss.call(labels, x), logits)
    return slopes[np.arange(rows), labels].mean()


def test_the_average_error_is_that_of_labels_by_the_prior():
    arguments = {"logit_adjustment": LONG_TAIL, "from_logits": True}
    found = [
        losses.GCE(**arguments),  # exact moments without a prior
        losses.AGCE(tau=0.5, **arguments),  # integrated
        losses.RCE(logit_bias=2.0, **arguments),
        losses.ActivePassive(losses.NCE(), losses.MAE(), **arguments),
    ]
    for loss in found:
        for z in (0.0, 1.0):
            wanted = sampled_error(loss, LONG_TAIL, z)
            error = average_error(loss, 60, z)
            assert error == pytest.approx(wanted, rel=0.02), type(loss)
    even = losses.GCE(logit_adjustment=np.ones(60))
    exact = average_error(losses.GCE(), 60)
    assert average_error(even, 60) == pytest.approx(exact, rel=0.01)


@pytest.mark.once
def test_automatic_values_take_the_prior_into_account():
    target = average_error(losses.MAE(), 10)
    star = losses.MAEStar(logit_adjustment=LONG_TAIL)
    assert average_error(star, 60) == pytest.approx(target, rel=1e-3)
    assert star.logit_bias != losses.MAEStar(num_classes=60).logit_bias
    assert star.logit_bias == matched_logit_bias(star, 60)
    gce = losses.GCE(q="auto", logit_adjustment=LONG_TAIL)
    wanted = average_error(losses.GCE(), 10)
    assert average_error(gce, 60) == pytest.approx(wanted, rel=1e-3)
    plain = losses.GCE(logit_adjustment=LONG_TAIL)
    assert matched_hyperparameter(plain, "q", 60) == pytest.approx(gce.q)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(60)])
    x = np.random.default_rng(0).normal(size=(64, 8))
    gce = losses.GCE(q="auto", from_logits=True, logit_adjustment=LONG_TAIL)
    fitted = calibrate(gce, model, x)
    assert fitted.logit_adjustment == LONG_TAIL.tolist()
    assert 0 < fitted.q < 0.7
