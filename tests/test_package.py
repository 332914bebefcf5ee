"""What the package loads, depends on and documents."""

import ast
import doctest
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from helpers import BACKENDS, run_python

import keras_noisy

PACKAGE = Path(keras_noisy.__file__).parent
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "keras_noisy.")
]


IMPORT = """
import sys, time
start = time.process_time()
import keras
before, middle = set(sys.modules), time.process_time()
import keras_noisy
share = (time.process_time() - middle) / (middle - start)
print(share, *sorted(set(sys.modules) - before))
"""


@pytest.mark.once
def test_import_loads_no_other_backend_and_is_quick():
    """The package adds less than a tenth to the import of Keras."""
    # With JAX, as Keras itself loads it with other backends.
    printed = run_python("-c", IMPORT, backend="jax")
    share, *loaded = printed.split()
    assert float(share) < 0.1
    assert {"keras_noisy.losses.mae", "keras_noisy.tuning"} <= set(loaded)
    heavy = {
        *BACKENDS,
        "keras_tuner",
        "matplotlib",
        "sklearn",
        "tensorboard",
        "tensorflow_datasets",
    }
    assert not heavy & set(loaded)


@pytest.mark.once
def test_run_time_needs_are_keras_and_numpy():
    needs = importlib.metadata.requires("keras-noisy")
    required = [need for need in needs if "extra ==" not in need]
    names = {re.match(r"[\w-]+", need).group() for need in required}
    assert names == {"keras", "numpy"}


@pytest.mark.once
def test_only_public_keras_is_used():
    private = "keras" + ".src"
    for file in PACKAGE.rglob("*.py"):
        assert private not in file.read_text(), file


@pytest.mark.once
def test_private_modules_are_used_by_their_own_package_alone():
    """Top-level private modules are for all packages."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        package = file.parent.relative_to(PACKAGE).parts
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            for name in node.names:
                parts = f"{node.module}.{name.name}".split(".")[1:]
                for depth, part in enumerate(parts):
                    is_elsewhere = depth and package[:1] != tuple(parts[:1])
                    if part.startswith("_") and is_elsewhere:
                        found.add(".".join(parts[: depth + 1]))
    assert not found


@pytest.mark.once
def test_typed():
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.once
@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(
        importlib.import_module(module), optionflags=doctest.ELLIPSIS
    )
    assert results.failed == 0


@pytest.mark.once
@pytest.mark.parametrize(
    "thing",
    [
        getattr(module, name)
        for module in (
            keras_noisy.losses,
            keras_noisy.calibration,
            keras_noisy.callbacks,
            keras_noisy.datasets,
            keras_noisy.distribution,
            keras_noisy.hsic,
            keras_noisy.layers,
            keras_noisy.metrics,
            keras_noisy.models,
            keras_noisy.noise,
            keras_noisy.optimizers,
            keras_noisy.quality,
            keras_noisy.training,
            keras_noisy.tuning,
        )
        for name in module.__all__
        # A few named values are documented where they are returned.
        if name
        not in (
            "Corruption",
            "LocalEnergy",
            "LogitDistribution",
            "OpenSet",
            "DataParallel",
            "Results",
            "Trial",
        )
    ],
    ids=lambda thing: thing.__name__,
)
def test_public_docstrings_are_complete(thing):
    sections = ["Returns:", "Example:"]
    if inspect.signature(thing).parameters:
        sections = ["Args:", "Returns:", "Raises:", "Example:"]
    # The functions that return these check for them.
    if thing.__name__ in ("Annotated", "Estimate", "NoisyDataset"):
        sections.remove("Raises:")
    assert "Error: Never" not in thing.__doc__
    if inspect.isclass(thing) or "Formula:" in thing.__doc__:
        sections.append("References:")
    if thing.__module__.startswith("keras_noisy.losses"):
        assert not inspect.isclass(thing) or "Formula:" in thing.__doc__
    positions = [thing.__doc__.find(section) for section in sections]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert ">>>" in thing.__doc__
