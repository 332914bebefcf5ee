"""Data parallelism gives the result of a single device."""

import json

import keras
import numpy as np
import pytest
from helpers import TESTS, run_python

DEVICES = {"jax": 4, "tensorflow": 2}


def compare_devices(script):
    """Compare the losses and weights that `script` prints as JSON."""
    backend = keras.backend.backend()
    if backend not in DEVICES:
        pytest.skip(f"Keras 3.15 has no data parallelism for {backend}")
    one, several = (
        json.loads(
            run_python(script, devices, backend=backend).splitlines()[-1]
        )
        for devices in (1, DEVICES[backend])
    )
    assert one.keys() == several.keys()
    for case, (losses, weights) in one.items():
        np.testing.assert_allclose(
            several[case][0], losses, rtol=1e-5, err_msg=case
        )
        for left, right in zip(several[case][1], weights, strict=True):
            np.testing.assert_allclose(left, right, atol=1e-5, err_msg=case)


def test_several_devices_train_like_one():
    compare_devices(TESTS / "distributed_training.py")
