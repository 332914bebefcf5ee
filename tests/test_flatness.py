"""The flatness of a minimum, and weights that get smaller."""

import keras
import numpy as np
import pytest

from keras_noisy.callbacks import WeightNorm
from keras_noisy.losses import with_index
from keras_noisy.metrics import LocalEnergy, local_energy, plot_local_energy

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")


def dense():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])


def test_error_around_the_weights():
    model, y = dense(), X.argmax(1)
    model.set_weights([np.eye(3), np.full(3, 0.1)])
    before = model.get_weights()
    found = local_energy(model, (X, y), [0.0, 0.5], 3, batch_size=25, seed=4)
    assert found.error == 0 and found.rise[0] == 0
    errors = []
    for draw in range(3):
        rng = np.random.default_rng([4, draw])
        kernel, bias = (
            w * (1 + 0.5 * rng.standard_normal(w.shape)) for w in before
        )
        errors.append(np.mean((X @ kernel + bias).argmax(1) != y))
    np.testing.assert_allclose(found.errors[1], errors)
    assert found.rise[1] == pytest.approx(np.mean(errors)) and min(errors) > 0
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    batches = [
        (X[:25], y[:25]),
        (X[25:50], np.eye(3)[y[25:50]]),
        (X[50:], y[50:]),
    ]
    again = local_energy(model, batches, [0.0, 0.5], 3, seed=4)
    np.testing.assert_array_equal(again.errors, found.errors)


class Endless(keras.utils.PyDataset):
    num_batches = None


@pytest.mark.once
def test_bad_measurements():
    y = X.argmax(1)
    for arguments, message in (
        ({"sigmas": []}, "`sigmas`"),
        ({"sigmas": [-0.1]}, "`sigmas`"),
        ({"draws": 0}, "`draws`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"seed": -1}, "`seed`"),
        ({"data": iter([(X, y)])}, "read several times"),
        ({"data": []}, "at least one sample"),
        ({"data": Endless()}, "a data set that ends"),
        (
            {"data": [*zip(X, y, strict=True)]},
            r"`data.batch\(64\)`.*not single ones",
        ),
        ({"data": [X, y]}, "a batch without labels, in a list"),
        ({"data": (X, y, np.ones(60))}, "a batch without labels, in a tuple"),
        ({"data": (X, -y)}, "labels of at least 0"),
        ({"data": (X, y + 1)}, r"`data`.*labels below 3.*Received: 3"),
        ({"data": (X, with_index(y))}, "Leave out the index"),
    ):
        with pytest.raises(ValueError, match=message):
            local_energy(dense(), **{"data": (X, y), **arguments})
    sequence = keras.Sequential(
        [keras.Input((3,)), keras.layers.RepeatVector(2)]
    )
    single = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    pair = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    for model, labels in (
        (sequence, y),
        (single, y % 2),
        (pair, with_index(y % 2)),
    ):
        with pytest.raises(ValueError, match="a row of scores"):
            local_energy(model, (X, labels))
    frozen, half = dense(), len(X) // 2
    with pytest.raises(ValueError, match="a row of scores"):
        local_energy(frozen, (X, y[:half]), batch_size=half)
    frozen.trainable = False
    with pytest.raises(ValueError, match="with trainable weights"):
        local_energy(frozen, (X, y))


@pytest.mark.once
def test_a_picture_has_a_line_for_each_network():
    pytest.importorskip("matplotlib")
    energy = LocalEnergy(np.array([0.1, 0.2]), 0.1, np.ones((2, 3)))
    figure = plot_local_energy({"SGD": energy, "SAM": energy, "_": energy})
    texts = figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["SGD", "SAM", " _"]
    with pytest.raises(ValueError, match="at least one result"):
        plot_local_energy({})


def test_kernels_shrink_by_the_same_share_each_epoch():
    model = dense()
    model.set_weights([np.eye(3) * 2, np.ones(3)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    data = {"x": X[:8], "y": X[:8], "batch_size": 8, "verbose": 0}
    start = float(np.sqrt(12))
    shrink = WeightNorm(start / 4)
    history = model.fit(**data, epochs=3, callbacks=[shrink]).history
    wanted = [start, start / 2, start / 4]
    np.testing.assert_allclose(history["weight_norm"], wanted, 1e-6)
    np.testing.assert_allclose(model.get_weights()[0], np.eye(3) / 2, 1e-6)
    np.testing.assert_array_equal(model.get_weights()[1], 1)
    # A smaller norm is left as it is.
    model.fit(**data, callbacks=[WeightNorm(9.0, start=10.0)])
    np.testing.assert_allclose(model.get_weights()[0], np.eye(3) / 2, 1e-6)
    with pytest.raises(ValueError, match="Expected the norm that the first"):
        model.fit(**data, epochs=2, initial_epoch=1, callbacks=[shrink])


@pytest.mark.once
def test_bad_norms():
    for arguments in ({"end": 0}, {"start": 0.0}, {"epochs": 0}):
        (name,) = arguments
        with pytest.raises(ValueError, match=f"`{name}`"):
            WeightNorm(**{"end": 1.0, **arguments})
    layer = keras.layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="two axes or more"):
        model.fit(X, X, verbose=0, callbacks=[WeightNorm(1.0)])
    model = dense()
    model.set_weights([np.zeros((3, 3)), np.zeros(3)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`start`.* all kernels begin at 0"):
        model.fit(X, X, verbose=0, callbacks=[WeightNorm(1.0)])
