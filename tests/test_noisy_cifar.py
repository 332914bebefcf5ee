"""The example on CIFAR: a trial, one that is killed, real images, options."""

import csv
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
import real_data
from helpers import run_here, run_python

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tensorflow")

EXAMPLE = Path(__file__).parent.parent / "examples" / "noisy_cifar.py"
TEXT = EXAMPLE.read_text(encoding="utf-8")
SMOKE = "--smoke --samples 128 --epochs 2 --batch-size 32 --losses MAEStar ELR"
SMOKE += " --fade cosine"


def run(folder, *arguments):
    return run_python(
        EXAMPLE,
        *("--output", folder, *arguments),
        backend=keras.backend.backend(),
        # Otherwise PyTorch crawls if other programs share the processor.
        OMP_NUM_THREADS="1",
    )


def rows(file):
    with open(file, encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.mark.slow
def test_a_killed_trial_ends_with_the_same_table(tmp_path):
    whole = [*SMOKE.split(), "--resume", tmp_path / "whole"]
    printed = run(tmp_path / "whole", *whole)
    found = re.findall(r"^(\S+)(?: *\| +\d+\.\d%){3}$", printed, re.MULTILINE)
    assert found == ["MAEStar", "ELR"]
    assert keras.__version__ in printed and keras.backend.backend() in printed
    picture = (tmp_path / "whole" / "curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")

    again = [*SMOKE.split(), "--resume", tmp_path / "runs", "--save-every", 1]
    again = [str(argument) for argument in again]
    killed = subprocess.Popen(
        [sys.executable, EXAMPLE, "--output", tmp_path / "killed", *again],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    # In the first epoch of the first loss, or soon after it.
    while not list((tmp_path / "runs").glob("*/*.npz")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "table.txt").exists()
    run(tmp_path / "killed", *again)
    for name in ("table.txt", "MAEStar.csv", "ELR.csv"):
        text = (tmp_path / "killed" / name).read_text()
        assert text == (tmp_path / "whole" / name).read_text()
    options = [*SMOKE.split(), "--seed", 5, "--resume", tmp_path / "runs"]
    other = run_python(
        EXAMPLE,
        *("--output", tmp_path / "other", *options),
        backend=keras.backend.backend(),
        fails=True,
    )
    assert (
        "is a run with seed=0. Give another directory. Received: seed=5"
        in other
    )
    table = rows(tmp_path / "whole" / "ELR.csv")
    assert [row["epoch"] for row in table] == ["1", "2"]
    assert {"val_accuracy", "memorization_rate", "loss"} <= table[0].keys()


@pytest.mark.once
def test_real_images_train(tmp_path):
    folder = real_data.folder("fashion_mnist")
    arguments = "--dataset fashion_mnist --samples 64 --epochs 1 --losses CE"
    arguments += " --batch-size 32"
    noise = "--noise asymmetric --rate 0.2 --mixed-precision --distribute"
    options = ["--data-dir", folder, *arguments.split(), *noise.split()]
    printed = run_here(EXAMPLE, "--output", tmp_path, *options)["printed"]
    share = re.search(r"(\d+\.\d)% of 64 training labels are wrong", printed)
    # Half of the classes are mistaken for another.
    assert 4 < float(share.group(1)) < 20
    (row,) = rows(tmp_path / "CE.csv")
    assert 0 <= float(row["val_accuracy"]) <= 1


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    """Run the example up to its losses; returns its definitions."""

    def start(*arguments):
        arguments = ["--output", tmp_path, "--smoke", *arguments]
        monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *map(str, arguments)])
        part = TEXT.partition("    build_loss(name)")
        names = {}
        exec(compile(part[0] + part[1], EXAMPLE, "exec"), names)
        return names

    return start


@pytest.mark.once
def test_the_networks_are_those_of_the_papers(prepare):
    names = prepare("--samples", 10)
    counts = {}
    for network in ("cnn8", "resnet34"):
        inputs = keras.Input((32, 32, 3))
        outputs = keras.layers.Dense(100)(names[network](inputs))
        model = keras.Model(inputs, outputs)
        counts[network] = sum(
            math.prod(variable.shape) for variable in model.trainable_variables
        )
        kinds = [type(layer).__name__ for layer in model.layers]
        layers_of = {"cnn8": (6, 2), "resnet34": (33 + 3, 1)}[network]
        assert (kinds.count("Conv2D"), kinds.count("Dense")) == layers_of
    # The known size of a ResNet-34 for 32 x 32 pixels and 100 classes.
    assert counts["resnet34"] == 21_328_292


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", 1.5], "--rate must be at least 0 and at most 1"),
        (["--rate", "nan"], "--rate must be at least 0 and at most 1"),
        (["--epochs", 0], "--epochs must be 1 or more"),
        (["--save-every", 5], "--save-every must be 1 or more, and needs"),
        (["--seed", -1], "--seed must be at least 0 and below 2**32"),
        (["--losses", "MEA"], "--losses There is no loss 'MEA'"),
        (["--losses", "ForwardCorrection"], "cannot be built from"),
        (["--losses", "CE", "GJS"], "--losses GJS needs several views"),
        (["--noise", "worse"], "Invalid value for argument `noise`"),
        (
            ["--dataset", "cifar10", "--data-dir", "nowhere"],
            "nowhere",
        ),
    ],
)
def test_bad_arguments_get_a_clear_error(prepare, capsys, arguments, message):
    with pytest.raises(SystemExit):
        prepare(*arguments)
    error = capsys.readouterr().err
    assert "noisy_cifar.py: error: " in error and message in error
