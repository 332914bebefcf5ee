import csv

import keras
from helpers import TESTS, run_python

SCRIPT = TESTS.parent / "benchmarks" / "loss_speed.py"


def test_loss_speed_prints_and_saves_every_loss(tmp_path):
    backend, path = keras.backend.backend(), tmp_path / "rows.csv"
    arguments = ["--classes", 10, "--rounds", 1, "--batch", 8, "--csv", path]
    for _ in range(2):  # the second run replaces the rows of the first
        printed = run_python(SCRIPT, *arguments, backend=backend)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    judged = [row for row in rows if row["meets"]]
    met = sum(row["meets"] == "yes" for row in judged)

    assert {row["backend"] for row in rows} == {backend}
    assert len({(row["mode"], row["loss"]) for row in rows}) == len(rows)
    names = {row["loss"] for row in judged}
    assert {"CrossEntropy", "MAE", "MAEStar", "GCE", "GCE(q=auto)"} <= names
    assert all(float(row["milliseconds_loss"]) > 0 for row in rows)
    assert all(f"| {row['loss']} |" in printed for row in rows)
    assert printed.count("misses 1.3x by") == len(judged) - met
    assert f"{met} of {len(judged)} meet the goal." in printed
