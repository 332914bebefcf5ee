"""The benchmark of speed runs and writes what it measured."""

import csv

import keras
from helpers import TESTS, run_python

import keras_noisy


def test_measures_every_loss(tmp_path):
    backend = keras.backend.backend()
    output = run_python(
        TESTS.parent / "benchmarks" / "loss_speed.py",
        *("--backends", backend, "--classes", "12", "--batch", "8"),
        *("--rounds", "1", "--csv", tmp_path / "speed.csv"),
        backend=backend,
    )
    assert "meet the goal" in output
    with (tmp_path / "speed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    measured = {row["loss"] for row in rows}
    with_memory = {"ELR", "SOP"}
    assert set(keras_noisy.losses.names()) - with_memory <= measured
    assert all(float(row["ratio"]) > 0 for row in rows)
