"""What several tests need: catalogue, tensors to NumPy, other processes."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from keras import ops

import keras_noisy

TESTS = Path(__file__).parent
BACKENDS = ("tensorflow", "jax", "torch")

#: name: (class, hyperparameters, float64 formula)
CATALOGUE = {
    "CrossEntropy": (keras_noisy.CrossEntropy, {}, reference.cross_entropy),
    "MAE": (keras_noisy.MAE, {}, reference.mae),
    "GCE": (keras_noisy.GCE, {}, reference.gce),
    "GCE 0.1": (keras_noisy.GCE, {"q": 0.1}, reference.gce),
    "GCE 1": (keras_noisy.GCE, {"q": 1.0}, reference.gce),
}

catalogue = pytest.mark.parametrize("name", CATALOGUE)


def build(name, /, **arguments):
    loss_class, hyperparameters, _ = CATALOGUE[name]
    return loss_class(**hyperparameters, **arguments)


def expected(name, targets, z, **transforms):
    _, hyperparameters, formula = CATALOGUE[name]
    return reference.loss_values(
        formula, targets, z, **transforms, **hyperparameters
    )


def values(loss, y_true, y_pred):
    return np.asarray(ops.convert_to_numpy(loss.call(y_true, y_pred)))


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def run_python(*arguments, backend, timeout=300, **environment):
    """Run Python in a process of its own; its output, or a failed test."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
            **environment,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
