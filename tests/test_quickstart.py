"""The quickstart: its options, its data, a short run, and its notebook."""

import re
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import run_here

pytest.importorskip("matplotlib")
load_digits = pytest.importorskip("sklearn.datasets").load_digits

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "quickstart.py"
PARTS = EXAMPLE.read_text(encoding="utf-8").partition('"""\n## The network')


@pytest.fixture
def prepare(monkeypatch):
    """Run the example up to its data; returns its definitions."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *map(str, arguments)])
        names = {}
        exec(compile(PARTS[0], EXAMPLE, "exec"), names)
        names["y_clean"] = names["data"].y_clean
        return names

    return run


@pytest.mark.once
def test_prints_a_table_and_saves_a_picture(tmp_path):
    options = ["--samples", 256, "--epochs", 1, "--classes", 10]
    options += ["--output", tmp_path / "curves.png"]
    printed = run_here(EXAMPLE, *options, "--losses", "CE", "MAEStar")[
        "printed"
    ]
    rows = re.findall(r"^(\S+)(?: *\| +\d+\.\d%){3}$", printed, re.MULTILINE)
    assert rows == ["CE", "MAE*"]
    assert keras.__version__ in printed and keras.backend.backend() in printed
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.once
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--classes", 11], "argument --classes: invalid choice: 11"),
        (["--noise", 1], "--noise must be at least 0 and below 1"),
        (["--noise", -0.1], "--noise must be at least 0 and below 1"),
        (["--noise", "nan"], "--noise must be at least 0 and below 1"),
        (["--noise", "few"], "argument --noise: invalid float value: 'few'"),
        (["--samples", 0], "--samples must be 1 or more"),
        (["--epochs", 0], "--epochs must be 1 or more"),
        (["--epochs", 1.5], "argument --epochs: invalid int value: '1.5'"),
        (["--losses", "hinge"], "argument --losses: invalid choice: 'hinge'"),
        (["--losses"], "argument --losses: expected at least one argument"),
        (["--seed", -1], "--seed must be at least 0 and below 2**32"),
        (["--output", "absent/a.png"], "--output must be in a folder that"),
        (["--output", "a.txt"], "--output must end in .png, .pdf or .svg"),
    ],
)
def test_bad_arguments_get_a_clear_error(prepare, capsys, arguments, message):
    with pytest.raises(SystemExit):
        prepare(*arguments)
    assert f"quickstart.py: error: {message}" in capsys.readouterr().err


@pytest.mark.once
@pytest.mark.parametrize("classes", [10, 100, 1000])
def test_images_read_as_their_labels(prepare, classes):
    data = prepare("--classes", classes, "--samples", 2000)
    digits = load_digits()
    pixels = np.rint(digits.images * 255 / 16).astype("uint8")
    originals = {
        (image / np.float32(255)).tobytes(): (digit, number)
        for number, (image, digit) in enumerate(
            zip(pixels, digits.target, strict=True)
        )
    }
    used = {}
    for part, labels in ("x_test", "y_test"), ("x_train", "y_clean"):
        length = len(str(classes - 1))
        strips = np.split(data[part], length, axis=-1)
        found = [[originals[d.tobytes()] for d in strip] for strip in strips]
        read = np.array(found)[..., 0].T @ 10 ** np.arange(length)[::-1]
        np.testing.assert_array_equal(read, data[labels])
        used[part] = set(np.array(found)[..., 1].ravel())
        assert data[part].min() == 0 and data[part].max() == 1
    assert not used["x_test"] & used["x_train"]
    assert len(data["y_test"]) == 5000 and len(data["y_clean"]) == 2000


@pytest.mark.once
@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.parametrize("noise", [0.0, 0.4, 0.9])
def test_noise_has_the_rate_and_leaves_out_the_true_class(
    prepare, classes, noise
):
    data = prepare("--classes", classes, "--noise", noise)
    changed = data["y_train"] != data["y_clean"]
    np.testing.assert_array_equal(changed, data["wrong"])
    deviation = np.sqrt(noise * (1 - noise) / len(changed))
    assert abs(changed.mean() - noise) <= 4 * deviation
    assert set(data["y_train"]) <= set(range(classes))
    if noise and classes == 10:
        shift = (data["y_train"] - data["y_clean"])[changed] % classes
        share = np.bincount(shift, minlength=classes)[1:] / changed.sum()
        assert np.all(np.abs(share - 1 / 9) < 4 / np.sqrt(9 * changed.sum()))


@pytest.mark.once
def test_a_seed_is_the_same_data_everywhere(prepare):
    def checksums(*arguments):
        data = prepare("--samples", 1000, *arguments)
        keys = ("x_train", "y_train", "x_test", "y_test")
        return [zlib.crc32(np.ascontiguousarray(data[key])) for key in keys]

    # The same with NumPy 1.26 and 2.4.
    assert checksums() == [1601308722, 2943954912, 1590779024, 1880356579]
    assert not set(checksums("--seed", 1)) & set(checksums())
