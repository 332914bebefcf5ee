"""The speed benchmark runs and writes its results."""

import argparse
import csv

import keras
import pytest
from helpers import TESTS, program, run_python

import keras_noisy

SCRIPT = TESTS.parent / "benchmarks" / "loss_speed.py"
BACKEND = keras.backend.backend()
WITHOUT_MEMORY = set(keras_noisy.losses.names()) - {
    *("ELR", "OGC", "SELC", "SOP")
}


def rows_of(file):
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert all(float(row["ratio"]) > 0 for row in rows)
    return rows


@pytest.fixture
def speed(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    return program(SCRIPT)


@pytest.mark.once
def test_measures_a_few_losses_of_all(speed, tmp_path, monkeypatch, capsys):
    found = speed.losses(12)
    assert found.keys() >= WITHOUT_MEMORY
    few = {name: found[name] for name in (speed.BASELINE, speed.AGAIN, "GCE")}
    monkeypatch.setattr(speed, "losses", lambda num_classes: few)
    mode, file = speed.MODES[BACKEND][0], tmp_path / "speed.csv"
    file.write_text("backend,loss\njax,a row of an older form\n")
    options = argparse.Namespace(
        classes=[12],
        batch=8,
        rounds=1,
        csv=file,
        again=False,
        processor_time=False,
    )
    monkeypatch.setitem(speed.MODES, BACKEND, (mode,))
    # Only a process with other settings has statistics of the memory.
    monkeypatch.setattr(speed, "tensorflow_peak", lambda step: 1)
    speed.measure_here(BACKEND, options)
    assert [row["loss"] for row in rows_of(file)] == list(few)
    before = file.read_text()
    speed.measure_here(BACKEND, options)  # Nothing is left to measure.
    assert file.read_text() == before
    speed.loss_speed_table.show(speed.read(file), 8)
    assert "of 1 meet the goal" in capsys.readouterr().out


@pytest.mark.once
def test_goals_are_those_of_the_kind_the_backend_and_the_size(speed):
    found = speed.losses(12)
    rows = [
        ("GCE", "torch", 10, 1.2),
        ("GCE", "jax", 5000, 1.0),
        ("NCE+RCE", "torch", 1000, 2.0),
        ("NCE", "tensorflow", 21_841, 1.3),
        ("BiTempered", "torch", 21_841, 5.0),
        ("BiTempered", "jax", 21_841, 3.0),
        ("CrossEntropy(logit_clip=1)", "jax", 1000, 1.3),
        (speed.BASELINE, "jax", 10, None),
    ]
    for name, backend, num_classes, goal in rows:
        kind = speed.kind_of(name, found[name])
        assert speed.goal_of(kind, backend, num_classes) == goal


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
