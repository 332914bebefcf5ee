"""The WebVision example: its training steps."""

import keras
import numpy as np
import pytest
import test_webvision_example

once = pytest.mark.once
tfds_folder = test_webvision_example.tfds_folder
root, example = test_webvision_example.root, test_webvision_example.example


@once
def test_parts_of_a_batch_make_the_step_of_the_whole(example):
    draws = np.random.default_rng(0)
    images = draws.normal(size=(16, 32, 32, 3)).astype("float32")
    labels = draws.integers(50, size=16)
    weights = []
    for count in (1, 2):
        names = example(
            *("--smoke", "--accumulate", count),
            until="        train_batches = pipeline(",
        )
        # The script reads parts of the batch.
        assert names["reading"]["batch_size"] == 16 // count
        model = names["build_model"]()
        start = model.get_weights()
        model.compile(names["build_optimizer"](), names["loss"])
        for part in np.split(np.arange(32) % 16, 2 * count):
            model.train_on_batch(images[part], labels[part])
        weights.append(model.get_weights())
    moved = 0
    for one, two, fresh in zip(*weights, start, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)
        moved = max(moved, np.abs(one - fresh).max())
    assert moved > 1e-2


def test_weight_decay_is_that_of_pytorch(example):
    names = example("--weight-decay", 1e-3, until='\n"""\n## Training')
    start, gradient, steps = np.array([1.0, -2.0], "float32"), 0.01, 300
    variable = keras.Variable(start)
    optimizer = names["build_optimizer"]()
    weight, velocity = start.astype("float64"), 0.0
    for _ in range(steps):
        optimizer.apply([keras.ops.full((2,), gradient)], [variable])
        total = gradient + 1e-3 * weight
        velocity = 0.9 * velocity + total
        weight = weight - 0.4 * (total + 0.9 * velocity)
    without = start - 0.4 * gradient * (10 * steps - 9 * 9)
    assert np.all(np.abs(weight - without) > 1)
    found = keras.ops.convert_to_numpy(variable)
    np.testing.assert_allclose(found, weight, rtol=0.02)


def step(names, size):
    """How much a training step moves the logits."""
    model = names["build_model"]()
    assert model.outputs[0].dtype == "float32"
    model.compile(names["build_optimizer"](), names["loss"])
    images = np.random.default_rng(0).normal(size=(4, size, size, 3))
    before = model.get_layer("logits").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images, np.arange(4)))
    after = model.get_layer("logits").get_weights()[0]
    assert 0 < np.abs(after - before).max() < 1
    return model


MIXED = ("--image-size", 32, "--mixed-precision", "--limit", 4)
MIXED += ("--fade", "margin")
UNTIL_TRAINING = "\n\n\ndef evaluation_batches"


def test_a_step_in_mixed_precision(example):
    small = ("--network", "small")
    model = step(example(*MIXED, *small, until=UNTIL_TRAINING), 32)
    assert model.layers[1].compute_dtype == "bfloat16"


@pytest.mark.slow
def test_resnet_50_takes_a_step_in_mixed_precision(example):
    model = step(example(*MIXED, until=UNTIL_TRAINING), 32)
    assert 23.6e6 < model.count_params() < 23.8e6
    assert model.get_layer("conv1_conv").compute_dtype == "bfloat16"
