"""Values and gradients in 64 bits if a backend has them, and in 32."""

import contextlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

TOLERANCE = {"float32": 1e-4, "float64": 1e-6}
both_dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def precision(dtype):
    if keras.backend.backend() == "jax" and dtype == "float64":
        return sys.modules["jax"].enable_x64(True)
    return contextlib.nullcontext()


def close(found, wanted, dtype):
    wanted = np.array(wanted)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found),
        wanted,
        rtol=TOLERANCE[dtype],
        atol=TOLERANCE[dtype] * np.abs(wanted).max(),
    )
