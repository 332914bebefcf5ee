"""Data parallelism gives the result of a single device."""

import json

import keras
import numpy as np
import pytest
from helpers import TESTS, run_python

DEVICES = {"jax": 4, "tensorflow": 2}


def results_on(devices):
    output = run_python(
        TESTS / "distributed_training.py",
        devices,
        backend=keras.backend.backend(),
    )
    return json.loads(output.splitlines()[-1])


def test_several_devices_train_like_one():
    backend = keras.backend.backend()
    if backend not in DEVICES:
        pytest.skip(f"Keras 3.15 has no data parallelism for {backend}")
    one = results_on(1)
    several = results_on(DEVICES[backend])
    assert one.keys() == several.keys()
    for case, (losses, weights) in one.items():
        np.testing.assert_allclose(
            several[case][0], losses, rtol=1e-5, err_msg=case
        )
        for left, right in zip(several[case][1], weights, strict=True):
            np.testing.assert_allclose(left, right, atol=1e-5, err_msg=case)
