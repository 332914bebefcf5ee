"""Gaussian clouded logits against the authors' programs."""

import json

import helpers
import keras
import numpy as np
import pytest
from helpers import gradient, number
from keras import ops
from precision import both_dtypes, close, precision

from keras_noisy import losses
from keras_noisy.layers import CosineDense, GaussianCloud

GOLDEN = json.loads((helpers.TESTS / "golden_gcl.json").read_text())
COUNTS = GOLDEN["class_counts"]
#: Scale, strength, margin and gamma of each configuration.
SETTINGS = {
    "stage1 m0 s30 c.5": (30.0, 0.5, 0.0, 0.0),
    "stage2 m.1 s20 c.5 gamma1": (20.0, 0.5, 0.1, 1.0),
    "places stage1 m0 s30 c1": (30.0, 1.0, 0.0, 0.0),
    "places stage2 m.1 s15 c1 gamma1": (15.0, 1.0, 0.1, 1.0),
    "angle m0 s30 eps.1": (30.0, 0.1, 0.0, 0.0),
    "angle m.5 s30 eps.1": (30.0, 0.1, 0.5, 0.0),
}


@both_dtypes
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x, marks=pytest.mark.once if "places" in x else ())
        for x in SETTINGS
    ],
)
def test_loss_and_gradient_of_every_configuration(name, dtype):
    """Cloud, bias and `Focal` are the method; a `Focal` of 0 is CE."""
    scale, strength, margin, gamma = SETTINGS[name]
    angular = name.startswith("angle")
    labels = np.array(GOLDEN["labels"])
    noise = np.array(GOLDEN["noise_raw"], dtype)
    cloud = GaussianCloud(
        COUNTS,
        strength,
        form="angular" if angular else "additive",
        margin=margin * angular,
        dtype=dtype,
    )
    loss = losses.Focal(
        gamma,
        from_logits=True,
        logit_bias=None if angular else -margin * scale,
        reduction=None,
        dtype=dtype,
    )

    def values(cosines):
        given = ops.convert_to_tensor(noise)
        return loss(labels, scale * cloud.clouded(cosines, given, labels))

    golden = GOLDEN["values"][name]
    cosines = np.array(GOLDEN["cosine"], dtype)
    with precision(dtype):
        found = ops.convert_to_numpy(values(ops.convert_to_tensor(cosines)))
        slope = gradient(values, cosines)
    assert found.dtype == slope.dtype == dtype
    close(found, golden["loss"], dtype)
    close(found.mean(), golden["mean"], dtype)
    close(slope, golden["grad_cosine"], dtype)


@both_dtypes
def test_cosine_classifier_and_its_gradients(dtype):
    golden = GOLDEN["cosine_layer"]
    x, kernel, upstream = (
        np.array(golden[key], dtype)
        for key in ("x", "W_in_by_classes", "upstream")
    )
    layer = CosineDense(4, scale=2.0, dtype=dtype)

    def output(x, kernel):
        x, kernel = map(ops.convert_to_tensor, (x, kernel))
        with keras.StatelessScope([(layer.kernel, kernel)]):
            return layer(x) * ops.convert_to_tensor(upstream / 2)

    with precision(dtype):
        layer.build((None, 5))
        close(output(x, kernel), np.array(golden["out"]) * upstream, dtype)
        of_x = gradient(lambda x: output(x, kernel), x)
        of_kernel = gradient(lambda kernel: output(x, kernel), kernel)
    close(of_x, golden["grad_x"], dtype)
    close(of_kernel, golden["grad_W"], dtype)


def test_vectors_without_a_direction_stay_finite():
    layer = CosineDense(3)
    x = np.array([[0.0, 0.0], [1e-20, 0.0], [3e18, 4e18]], "float32")
    outputs = ops.convert_to_numpy(layer(x))
    assert np.all(np.isfinite(outputs)) and not outputs[0].any()
    slope = gradient(layer, x)
    assert np.all(np.isfinite(slope)) and not slope[:2].any()
    half = CosineDense(3, dtype="float16")
    large = ops.convert_to_numpy(half(np.full((1, 2), 3e4, "float16")))
    assert np.all(np.isfinite(large)) and large.any()


@pytest.mark.once
def test_class_vectors_start_with_length_1():
    layer = CosineDense(50)
    layer.build((None, 7))
    kernel = ops.convert_to_numpy(layer.kernel)
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, rtol=1e-5)
    assert abs(kernel.mean()) < 0.1 and kernel.std() > 0.3


def test_the_cloud_is_larger_for_rarer_classes_and_in_training_alone():
    counts = [1000, 100, 10]
    cosines = np.zeros((2000, 3), "float32")
    cloud = GaussianCloud(counts, 0.5, seed=1)
    assert not ops.convert_to_numpy(cloud(cosines)).any()
    drawn = ops.convert_to_numpy(cloud(cosines, training=True))
    again = ops.convert_to_numpy(cloud(cosines, training=True))
    assert not drawn[:, 0].any() and (drawn != again)[:, 1:].all()
    # The mean of |e|, e of standard deviation 1 / 3, hardly clipped.
    share = np.sqrt(2 / np.pi) / 3
    np.testing.assert_allclose(
        drawn.mean(0), [0, -share / 4, -share / 2], rtol=0.06, atol=1e-7
    )
    assert drawn.min() >= -0.5
    same = GaussianCloud(counts, 0.5, seed=1)(cosines, training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(same), drawn)


def test_balanced_classes_have_no_cloud():
    z = np.array([[0.5, -0.5]], "float32")
    for form in ("additive", "angular"):
        outputs = GaussianCloud([7, 7], form=form)(z, training=True)
        np.testing.assert_array_equal(ops.convert_to_numpy(outputs), z)
    turned = GaussianCloud([7, 7], form="angular").clouded(z, np.ones_like(z))
    np.testing.assert_allclose(ops.convert_to_numpy(turned), z, rtol=1e-6)


def test_the_largest_seed_and_seeds_of_numpy():
    for seed in (2**31 - 1, np.int64(3), np.uint8(3)):
        cloud = GaussianCloud([100, 3], seed=seed)
        cosines = np.zeros((4, 2), "float32")
        drawn = ops.convert_to_numpy(cloud(cosines, training=True))
        same = GaussianCloud.from_config(cloud.get_config())
        again = ops.convert_to_numpy(same(cosines, training=True))
        np.testing.assert_array_equal(drawn, again)
        assert type(cloud.get_config()["seed"]) is int
    for seed in (-1, 2**31, 0.5, True):
        with pytest.raises(ValueError, match="argument `seed`"):
            GaussianCloud([100, 3], seed=seed)


@pytest.mark.once
def test_mistakes_of_the_layers_are_named():
    for counts in ([5], [[5, 3]], [5, 0], [5, np.nan], "abc"):
        with pytest.raises(ValueError, match="`class_counts`"):
            GaussianCloud(counts)
    with pytest.raises(ValueError, match="Received: 1 of them"):
        GaussianCloud(np.ma.masked_equal([5, 3, 9], 9))
    with pytest.raises(ValueError, match="add 1 to all counts"):
        GaussianCloud([5, 0, 0])
    with pytest.raises(ValueError, match="`strength`"):
        GaussianCloud([5, 3], strength=-1)
    with pytest.raises(ValueError, match="`form`"):
        GaussianCloud([5, 3], form="polar")
    with pytest.raises(ValueError, match=r"logit_bias=-margin \* scale"):
        GaussianCloud([5, 3], margin=0.1)
    with pytest.raises(ValueError, match="of the 2 classes"):
        GaussianCloud([5, 3])(np.zeros((1, 3)))
    cloud = GaussianCloud([5, 3], form="angular", margin=0.5)
    with pytest.raises(ValueError, match="labels=labels"):
        cloud(np.zeros((1, 2)), training=True)
    with pytest.raises(ValueError, match="`scale`"):
        CosineDense(2, scale=0)
    with pytest.raises(ValueError, match="`cloud`"):
        CosineDense(2, cloud="additive")


def test_labels_of_an_angular_margin_in_every_form():
    cloud = GaussianCloud([9, 3], form="angular", margin=0.5, strength=0.0)
    z, labels = np.array([[0.5, 0.5], [0.5, 0.5]], "float32"), np.array([0, 1])
    turned = np.cos(np.arccos(0.5) + 0.5)
    wanted = [[turned, 0.5], [0.5, turned]]
    for y in (labels, labels[:, None], np.eye(2, dtype="float32")):
        found = cloud(z, labels=y, training=True)
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), wanted, rtol=1e-5
        )


def test_trains_saves_and_loads(tmp_path):
    """With any loss; what is saved predicts the bare cosines, scaled."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 30, 6])
    x = (np.eye(3)[y] + 0.3 * rng.normal(size=(96, 3))).astype("float32")
    head = CosineDense(3, 8.0, GaussianCloud([60, 30, 6]), name="head")
    model = keras.Sequential([keras.Input((3,)), head])
    loss = losses.GCE(from_logits=True, logit_bias=-0.5)
    model.compile("adam", loss)
    before = number(loss(y, model(x)))
    model.fit(x, y, batch_size=32, epochs=8, verbose=0)
    assert number(loss(y, model(x))) < before
    file = tmp_path / "model.keras"
    model.save(file)
    again = keras.models.load_model(file)
    assert again.get_layer("head").get_config() == head.get_config()
    cosines = ops.convert_to_numpy(head.cosines(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(
        again.predict(x, verbose=0), 8 * cosines, rtol=1e-4, atol=1e-5
    )
    again.fit(x, y, batch_size=32, verbose=0)
