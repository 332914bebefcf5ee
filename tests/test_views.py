"""The loss of several views of each sample."""

import keras
import numpy as np
import pytest
import reference
from helpers import build, gradient, number, values

from keras_noisy.calibration import average_error
from keras_noisy.losses import GeneralizedJensenShannon, JensenShannon


def batch(views, rows=6, num_classes=4):
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=(rows, views, num_classes))
    return rng.integers(num_classes, size=rows), z.astype("float32")


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("bias", [None, 2.0, -1.0])
@pytest.mark.parametrize("soft", [False, True])
def test_values_and_gradients(views, bias, soft):
    labels, z = batch(views)
    targets = reference.one_hot(labels, 4)
    if soft:
        targets = 0.8 * targets + 0.05
    loss = GeneralizedJensenShannon(
        0.3, views, from_logits=True, logit_bias=bias
    )

    def exact(z):
        return reference.loss_values(
            reference.generalized_jensen_shannon,
            targets,
            z,
            bias=bias,
            pi=0.3,
            views=views,
        )

    y = targets.astype("float32") if soft else labels
    np.testing.assert_allclose(values(loss, y, z), exact(z), atol=2e-6)
    slopes = gradient(lambda x: loss.call(y, x), z)
    differences = np.zeros(z.shape)
    for i in np.ndindex(z.shape[1:]):
        step = np.zeros(z.shape)
        step[(slice(None), *i)] = 1e-5
        change = exact(z + step) - exact(z - step)
        differences[(slice(None), *i)] = change / 2e-5
    np.testing.assert_allclose(slopes, differences, rtol=1e-3, atol=2e-6)


@pytest.mark.once
def test_equal_views_are_one_view():
    labels, z = batch(1)
    plain = JensenShannon(0.4, from_logits=True)
    loss = GeneralizedJensenShannon(0.4, 3, from_logits=True)
    np.testing.assert_allclose(
        values(loss, labels, np.repeat(z, 3, axis=1)),
        values(plain, labels, z[:, 0]),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.once
def test_views_that_disagree_cost():
    """With little weight on the label, only the agreement remains."""
    agree = np.array([[[0.7, 0.3], [0.7, 0.3]]], "float32")
    disagree = np.array([[[1.0, 0.0], [0.4, 0.6]]], "float32")
    loss = GeneralizedJensenShannon(0.1)
    assert number(loss([0], agree)) < number(loss([0], disagree))


def test_ignored_samples_weights_and_probabilities():
    labels, z = batch(2)
    p = reference.softmax(z.astype("float64")).astype("float32")
    labels[:2] = -1
    loss = GeneralizedJensenShannon(0.3, ignore_class=-1)
    plain = GeneralizedJensenShannon(0.3)
    kept = number(plain(labels[2:], p[2:]))
    assert number(loss(labels, p)) == pytest.approx(kept, rel=1e-6)
    weights = np.array([0, 0, 1, 1, 1, 1], "float32")
    weighted = number(plain(np.abs(labels), p, weights))
    assert weighted == pytest.approx(kept * 4 / 6, rel=1e-6)
    p[3, 1, 0] = -0.5
    assert np.isnan(values(plain, np.abs(labels), p)).tolist() == (
        [False] * 3 + [True] + [False] * 2
    )


@pytest.mark.once
def test_shapes_that_do_not_fit_are_named():
    loss = GeneralizedJensenShannon(0.3, views=2)
    for shape in ((6, 3, 4), (6, 4)):
        p = np.full(shape, 0.25, "float32")
        with pytest.raises(ValueError, match=r"\(\.\.\., 2, num_classes\)"):
            loss(np.zeros(6, int), p)


def test_a_model_of_views_is_trained_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(0)
    centers = 2 * rng.normal(size=(3, 8))
    labels = np.repeat(np.arange(3), 16)
    x = centers[labels][:, None] + rng.normal(size=(48, 2, 8))
    base = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(3, activation="softmax")]
    )
    views = keras.Input((2, 8))
    model = keras.Model(views, keras.layers.TimeDistributed(base)(views))
    model.compile(keras.optimizers.Adam(0.05), GeneralizedJensenShannon(0.3))
    model.fit(x, labels, epochs=40, verbose=0)
    predicted = np.argmax(base.predict(x[:, 0], verbose=0), axis=-1)
    assert np.mean(predicted == labels) > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, labels, verbose=0) == pytest.approx(
        model.evaluate(x, labels, verbose=0), rel=1e-6
    )


@pytest.mark.once
def test_average_error_of_one_and_more_views():
    """The error of one view is exact, the error of two is sampled."""
    one = average_error(build("JensenShannon", 10), 10)
    sampled = average_error(GeneralizedJensenShannon(0.5, views=1), 10)
    assert sampled == pytest.approx(one, rel=1e-2)
    two = average_error(GeneralizedJensenShannon(0.5, views=2), 10)
    assert two < 0.5 * one
