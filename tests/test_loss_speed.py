"""The benchmark of speed runs and writes what it measured."""

import csv
import importlib.util

import keras
import pytest
from helpers import TESTS, run_python

import keras_noisy

SCRIPT = TESTS.parent / "benchmarks" / "loss_speed.py"
BACKEND = keras.backend.backend()
WITHOUT_MEMORY = set(keras_noisy.losses.names()) - {"ELR", "SOP"}


def rows_of(file):
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert all(float(row["ratio"]) > 0 for row in rows)
    return rows


@pytest.mark.once
def test_measures_a_few_losses_of_all(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("loss_speed", SCRIPT)
    speed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(speed)
    found = speed.losses(12)
    assert found.keys() >= WITHOUT_MEMORY
    few = {name: found[name] for name in (speed.BASELINE, speed.AGAIN, "GCE")}
    monkeypatch.setattr(speed, "losses", lambda num_classes: few)
    rows = list(speed.measure(BACKEND, speed.MODES[BACKEND][0], 12, 8, 1))
    speed.save(rows, tmp_path / "speed.csv")
    assert {row["loss"] for row in rows_of(tmp_path / "speed.csv")} == set(few)
    speed.print_tables(rows, 8)
    assert "of 1 meet the goal" in capsys.readouterr().out


@pytest.mark.slow
def test_measures_every_loss(tmp_path):
    output = run_python(
        SCRIPT,
        *("--backends", BACKEND, "--classes", "12", "--batch", "8"),
        *("--rounds", "1", "--csv", tmp_path / "speed.csv"),
        backend=BACKEND,
        timeout=600,
    )
    assert "meet the goal" in output
    measured = {row["loss"] for row in rows_of(tmp_path / "speed.csv")}
    assert measured >= WITHOUT_MEMORY
