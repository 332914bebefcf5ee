"""The release: the wheel in its own environment, and its documents."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_noisy

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Builds for the processor, of the versions that the tests are run with.
BACKEND = {
    "jax": "jax[cpu]",
    "tensorflow": "tensorflow-cpu",
    "torch": next(
        need
        for need in PROJECT["optional-dependencies"]["test"]
        if need.startswith("torch==")
    ),
}
FIT = """
import importlib.util
import sys

backend, version = sys.argv[1:]
others = {"jax", "tensorflow", "torch"} - {backend}
found = [name for name in others if importlib.util.find_spec(name)]
assert not found, found

import keras
import numpy as np

import keras_noisy

assert keras.backend.backend() == backend and keras.__version__ == version
assert "site-packages" in keras_noisy.__file__
x = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
y = np.arange(64) % 20
loss = keras_noisy.MAEStar(
    num_classes=20, fade=keras.optimizers.schedules.CosineDecay(1.0, 8)
)
inputs = keras.Input((8,))
outputs = keras.layers.Dense(20, activation="softmax")(inputs)
model = keras.Model(inputs, loss.connect(outputs))
metrics = [keras_noisy.metrics.LabelAccuracy()]
model.compile("adam", loss, metrics=metrics)
model.fit(x, y, epochs=2, verbose=0)
model.save("model.keras")
np.savez("seen.npz", x=x, outputs=model.predict(x, verbose=0))
"""
LOAD = """
import keras
import numpy as np

import keras_noisy

model = keras.models.load_model("model.keras")
seen = np.load("seen.npz")
outputs = model.predict(seen["x"], verbose=0)
np.testing.assert_allclose(outputs, seen["outputs"], rtol=1e-5)
assert type(model.loss) is keras_noisy.MAEStar
model.fit(seen["x"], np.arange(64) % 20, verbose=0)
"""


def run(*command, cwd, **environment):
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_works_with_one_backend_alone(tmp_path):
    """With the lowest declared Keras, and with the newest."""
    pip = ("-m", "pip", "--disable-pip-version-check")
    run(sys.executable, *pip, "wheel", "--no-deps", ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert "keras_noisy/py.typed" in names
    assert all(re.match(r"keras_noisy[/-]", name) for name in names)

    backend = keras.backend.backend()
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    (lowest,) = re.findall(r"keras>=([\d.]+)", str(PROJECT["dependencies"]))
    lowest = f"{lowest}.0" if lowest.count(".") == 1 else lowest
    newest = importlib.metadata.version("keras")
    needs = [wheel, BACKEND[backend]]
    for version in (lowest, newest):
        run(
            python,
            *pip,
            *("install", "--quiet", "--no-compile"),
            *[*needs, f"keras=={version}"],
            cwd=tmp_path,
        )
        # Isolated: nothing of this process' paths.
        for script in ([FIT, backend, version], [LOAD]):
            run(
                python, "-I", "-c", *script, cwd=tmp_path, KERAS_BACKEND=backend
            )


@pytest.mark.once
def test_version_and_names_agree():
    version = keras_noisy.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    assert f"\ntitle: {PROJECT['name']}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (.*)$", changes, re.MULTILINE)[1] == version


@pytest.mark.once
def test_loading_needs_no_unsafe_mode(tmp_path):
    """As SECURITY.md says: files contain no pickle and run no code."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", keras_noisy.GCE(from_logits=True))
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        kinds = {Path(name).suffix for name in file.namelist()}
    assert kinds == {".json", ".h5"}
    hidden = keras.layers.Lambda(lambda x: x + np.float32(1))
    keras.Sequential([keras.Input((2,)), hidden]).save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match="safe_mode"):
        keras.models.load_model(tmp_path / "code.keras")
