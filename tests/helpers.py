"""Shared helpers: catalogue, tensors to NumPy, other processes."""

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import reference
from keras import ops

from keras_noisy import losses
from keras_noisy.calibration._gradient import gradient_here

TESTS = Path(__file__).parent
BACKENDS = ("tensorflow", "jax", "torch")


@dataclass
class Entry:
    """A loss with hyperparameters, and its float64 formula."""

    loss_class: type
    formula: Callable[..., np.ndarray]
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    #: Hyperparameters that depend on the number of classes.
    of_class_count: Callable[[int], dict[str, Any]] = lambda num_classes: {}
    #: Hyperparameters that the formula takes in another form.
    of_formula: dict[str, Any] | None = None

    def arguments(self, num_classes):
        return {**self.hyperparameters, **self.of_class_count(num_classes)}

    def formula_arguments(self, num_classes):
        if self.of_formula is not None:
            return self.of_formula
        return self.arguments(num_classes)


def transition(num_classes):
    """Different rates for different classes, none of them 0."""
    rates = np.linspace(0.1, 0.3, num_classes)
    matrix = np.tile(rates[:, None] / (num_classes - 1), num_classes)
    np.fill_diagonal(matrix, 1 - rates)
    return {"T": matrix.tolist()}


def uneven_prior(num_classes):
    shares = np.arange(1.0, num_classes + 1)
    return {"prior": (shares / shares.sum()).tolist()}


TRUE_GRADIENT = {"stop_weight_gradient": False}

#: A new loss joins every test by a float64 formula in `reference` under the
#: name of its file. It has an entry here where its defaults are not enough.
CATALOGUE = {
    "CrossEntropy": Entry(losses.CrossEntropy, reference.cross_entropy),
    "MAE": Entry(losses.MAE, reference.mae),
    "MAEStar": Entry(
        losses.MAEStar, reference.mae, {"logit_bias": None}, of_formula={}
    ),
    "ScaledMAE": Entry(
        losses.ScaledMAE, reference.mae, {"margin_scale": None}, of_formula={}
    ),
    "GCE": Entry(losses.GCE, reference.gce),
    "GCE 0.1": Entry(losses.GCE, reference.gce, {"q": 0.1}),
    "TruncatedGCE": Entry(losses.TruncatedGCE, reference.truncated_gce),
    "RCE": Entry(losses.RCE, reference.rce),
    "SCE": Entry(losses.SCE, reference.sce),
    "AGCE": Entry(losses.AGCE, reference.agce),
    "AGCE WebVision": Entry(losses.AGCE, reference.agce, {"a": 1e-5, "q": 0.5}),
    "AUL": Entry(losses.AUL, reference.aul),
    "AEL": Entry(losses.AEL, reference.ael),
    "PHuberCE": Entry(losses.PHuberCE, reference.phuber_ce),
    "TaylorCE": Entry(losses.TaylorCE, reference.taylor_ce, {"t": 3}),
    "Focal": Entry(losses.Focal, reference.focal, TRUE_GRADIENT),
    "ICCE": Entry(losses.ICCE, reference.icce),
    "NMAE": Entry(losses.NMAE, reference.nmae),
    "NRCE": Entry(losses.NRCE, reference.nrce),
    "JensenShannon": Entry(losses.JensenShannon, reference.jensen_shannon),
    "NCE": Entry(losses.NCE, reference.nce),
    "NFL": Entry(losses.NFL, reference.nfl, TRUE_GRADIENT),
    "NGCE": Entry(losses.NGCE, reference.ngce),
    "GeneralizedJensenShannon": Entry(
        losses.GeneralizedJensenShannon,
        reference.generalized_jensen_shannon,
        {"pi": 0.3, "views": 1},
    ),
    "BiTempered": Entry(losses.BiTempered, reference.bi_tempered),
    "BiTempered finite": Entry(
        losses.BiTempered, reference.bi_tempered, {"t1": 0.5, "t2": 0.8}
    ),
    "NNCE": Entry(losses.NNCE, reference.nnce),
    "NNFL": Entry(losses.NNFL, reference.nnfl, TRUE_GRADIENT),
    "EpsilonSoftmaxCE": Entry(
        losses.EpsilonSoftmaxCE, reference.epsilon_softmax_ce, {"m": 100.0}
    ),
    "AMSE": Entry(losses.AMSE, reference.amse, {"a": 3.0}),
    "LDRKL": Entry(losses.LDRKL, reference.ldr_kl, {"lambda_": 1.0}),
    "SoftBootstrapping": Entry(
        losses.SoftBootstrapping, reference.soft_bootstrapping
    ),
    "HardBootstrapping": Entry(
        losses.HardBootstrapping, reference.hard_bootstrapping
    ),
    "ForwardCorrection": Entry(
        losses.ForwardCorrection,
        reference.forward_correction,
        of_class_count=transition,
    ),
    "ConfidenceCorrection": Entry(
        losses.ConfidenceCorrection,
        reference.confidence_correction,
        of_class_count=transition,
    ),
    "BackwardCorrection": Entry(
        losses.BackwardCorrection,
        reference.backward_correction,
        of_class_count=transition,
    ),
    "CORES": Entry(losses.CORES, reference.cores, {"beta": 0.5}),
    "PeerLoss": Entry(
        losses.PeerLoss,
        reference.peer_loss,
        {"alpha": 0.5},
        of_class_count=uneven_prior,
    ),
    "ActivePassive": Entry(
        losses.ActivePassive,
        reference.active_passive,
        {
            "active": losses.NCE(),
            "passive": losses.MAE(),
            "alpha": 5.0,
            "beta": 0.5,
        },
        of_formula={
            "active": (reference.nce, {}),
            "passive": (reference.mae, {}),
            "alpha": 5.0,
            "beta": 0.5,
        },
    ),
    "Symmetrized": Entry(
        losses.Symmetrized,
        reference.symmetrized,
        {"loss": losses.GCE(0.3)},
        of_formula={"loss": (reference.gce, {"q": 0.3})},
    ),
    "ActivePassive of p": Entry(
        losses.ActivePassive,
        reference.active_passive,
        {"active": losses.CrossEntropy(), "passive": losses.NMAE()},
        of_formula={
            "active": (reference.cross_entropy, {}),
            "passive": (reference.nmae, {}),
        },
    ),
}

for _name in losses.names():
    _kind = getattr(losses, _name, None)
    if _kind not in {entry.loss_class for entry in CATALOGUE.values()}:
        # With its defaults, against the formula of the name of its file.
        _file = getattr(_kind, "__module__", "").rpartition(".")[2]
        if _formula := getattr(reference, _file, None):
            CATALOGUE[_name] = Entry(_kind, _formula)

#: Needs the logits themselves, so it cannot take probabilities.
OF_LOGITS = [k for k, v in CATALOGUE.items() if v.loss_class.needs_logits]
OF_PROBABILITIES = [name for name in CATALOGUE if name not in OF_LOGITS]

catalogue = pytest.mark.parametrize("name", CATALOGUE)
catalogue_of_probabilities = pytest.mark.parametrize("name", OF_PROBABILITIES)

#: One loss for each way in which a formula meets what all losses share. Tests
#: of the shared part run with these on every backend, with the others once.
KINDS = ("GCE", "NCE", "ForwardCorrection")


def shared_part(names):
    """A case for each name, on one backend if other cases represent it."""
    return pytest.mark.parametrize(
        "name",
        [
            name
            if name in KINDS
            else pytest.param(name, marks=pytest.mark.once)
            for name in names
        ],
    )


catalogue_shared = shared_part(CATALOGUE)
catalogue_of_probabilities_shared = shared_part(OF_PROBABILITIES)


def build(name, num_classes, /, **arguments):
    entry = CATALOGUE[name]
    return entry.loss_class(**{**entry.arguments(num_classes), **arguments})


def expected(name, targets, z, **transforms):
    entry = CATALOGUE[name]
    return reference.loss_values(
        entry.formula,
        targets,
        z,
        **transforms,
        **entry.formula_arguments(np.shape(z)[-1]),
    )


def heads(names, num_classes, layer, features=8, **arguments):
    """A model with one output per loss, and the losses, compiled at once.

    Each loss trains weights of its own: one step that is compiled shows
    all of them.
    """
    inputs = keras.Input((features,))
    outputs = [layer(inputs) for _ in names]
    found = [build(name, num_classes, **arguments) for name in names]
    return keras.Model(inputs, outputs), found


def values(loss, y_true, y_pred):
    return np.asarray(ops.convert_to_numpy(loss.call(y_true, y_pred)))


def compiled(function):
    """One program instead of one for each operation, if JAX compiles."""
    if keras.backend.backend() == "jax":
        return sys.modules["jax"].jit(function)
    return function


def gradient(function, x):
    """The gradient of the sum of the values, by one program on JAX.

    It is in this thread, where JAX may have 64 bits.
    """
    if keras.backend.backend() == "jax":
        jax = sys.modules["jax"]
        return np.asarray(jax.jit(jax.grad(lambda x: function(x).sum()))(x))
    return gradient_here(function, x)


def values_and_slopes(function, x):
    """Values, and the gradient of their sum, by one program on JAX."""
    if keras.backend.backend() == "jax":
        jax = sys.modules["jax"]

        def both(x):
            found, back = jax.vjp(function, x)
            return found, back(jax.numpy.ones_like(found))[0]

        found, slopes = jax.jit(both)(x)
    else:
        found, slopes = function(x), gradient(function, x)
    return np.asarray(ops.convert_to_numpy(found)), np.asarray(slopes)


def masked(y_pred, mask):
    """Predictions with a mask, as after an Embedding."""

    class Mask(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x):
            return x

        def compute_mask(self, inputs, previous_mask=None):
            return ops.convert_to_tensor(mask)

    return Mask()(ops.convert_to_tensor(y_pred))


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor), "float64")


def program(path):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_here(file, *arguments, until="\0"):
    """Run a script up to a text in it, in this process, which is quicker.

    What it defines, and what it has "printed".
    """
    names = {"__name__": "__main__"}
    text = file.read_text(encoding="utf-8").partition(until)[0]
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        patch.setattr(sys, "argv", [file.name, *map(str, arguments)])
        exec(compile(text, file, "exec"), names)
    return {**names, "printed": printed.getvalue()}


def run_python(*arguments, backend, timeout=300, fails=False, **environment):
    """Run Python in its own process; returns its output or fails the test."""
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
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout
