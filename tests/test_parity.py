"""The same seeded inputs give the same losses on every backend."""

import functools
import json

import keras
import numpy as np
import parity_values
import pytest
from helpers import BACKENDS, TESTS, run_python

pytestmark = pytest.mark.once

TRANSFORMS = len(parity_values.TRANSFORMS)
OTHERS = [name for name in BACKENDS if name != keras.backend.backend()]


@functools.cache
def of_this_backend(part):
    return parity_values.computed(whole=part == "whole")


@pytest.mark.parametrize(
    "part", ["kinds", pytest.param("whole", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("other", OTHERS)
def test_values_and_gradients(part, other):
    own = of_this_backend(part)
    output = run_python(TESTS / "parity_values.py", part, backend=other)
    theirs = json.loads(output.splitlines()[-1])
    assert own.keys() == theirs.keys()
    assert len(own) > 30 * 2 * (2 if part == "kinds" else TRANSFORMS)
    for case, (value, slope) in own.items():
        np.testing.assert_allclose(
            value, theirs[case][0], rtol=1e-6, atol=1e-6, err_msg=case
        )
        np.testing.assert_allclose(
            slope,
            theirs[case][1],
            rtol=1e-5,
            atol=4e-6 * max(1.0, np.abs(slope).max()),
            err_msg=case,
        )
