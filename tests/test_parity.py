"""The same seeded inputs give the same losses on every backend."""

import json

import keras
import numpy as np
import parity_values
import pytest
from helpers import BACKENDS, TESTS, run_python

pytestmark = pytest.mark.once

OTHERS = [name for name in BACKENDS if name != keras.backend.backend()]


@pytest.fixture(scope="module")
def own():
    return parity_values.computed()


@pytest.mark.parametrize("other", OTHERS)
def test_values_and_gradients(own, other):
    output = run_python(TESTS / "parity_values.py", backend=other)
    theirs = json.loads(output.splitlines()[-1])
    assert own.keys() == theirs.keys()
    assert len(own) > 30 * 2 * 2 + 5 * 2 * 4
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
