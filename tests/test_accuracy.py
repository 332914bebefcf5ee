"""The accuracy benchmark: side by side equals alone, and tables add up."""

import re
import sys

import keras
import numpy as np
import pytest
from helpers import TESTS

from keras_noisy import losses

FOLDER = TESTS.parent / "benchmarks"

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def bench():
    """The modules of the benchmark, which import each other by name."""
    names = ("tasks", "side_by_side", "rows", "accuracy_losses")
    names += ("accuracy_table", "accuracy")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield {name: __import__(name) for name in names}
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def tiny(bench, monkeypatch):
    """Ten classes that a head learns in two epochs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 8, 8)).astype("float32")
    clean = rng.integers(10, size=512).astype("int32")
    x[np.arange(512), 0, clean % 8] += 3
    x[np.arange(512), 1, clean // 8] += 3
    y = np.where(rng.random(512) < 0.3, (clean + 1) % 10, clean).astype("int32")
    task = bench["tasks"].Task(x, y, clean, x[:100], clean[:100], 10)
    # Without dropout, as PyTorch draws its masks one after the other.
    monkeypatch.setitem(bench["tasks"].TASKS, "digits-10", (2, 64, 10))
    return task


def train(bench, task, names, **kwargs):
    branches = [bench["accuracy_losses"].EVERY[name] for name in names]
    found, seconds = bench["side_by_side"].train(
        "digits-10", task, branches, seed=0, held_out=0.1, **kwargs
    )
    assert seconds > 0
    return found


def test_a_branch_learns_what_it_learns_alone(bench, tiny):
    names = ["CE", "ELR", "ScaledMAE, low start, fade"]
    names += ["CE, rate x0.1, decay 0.0005"]
    together = train(bench, tiny, names)
    assert len({r.last for r in together}) > 1
    for name, found in zip(names, together, strict=True):
        (alone,) = train(bench, tiny, [name])
        np.testing.assert_allclose(found, alone, atol=0.0201, err_msg=name)
        assert 0.15 < found.held_out < 1 and found.last > 0.2


def test_mixed_samples_have_the_labels_of_both(bench):
    x = np.arange(10, dtype="float32")[:, None]
    batches = bench["side_by_side"].Mixup(x, np.arange(10), 10, 4, [0, 0])
    found = [batches[i] for i in range(len(batches))]
    mixed, y = (np.concatenate(parts) for parts in zip(*found, strict=True))
    np.testing.assert_allclose(y.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0], y @ np.arange(10), atol=1e-5)
    assert (np.count_nonzero(y, axis=1) == 2).sum() > 5


def test_every_loss_is_one_of_ours_or_of_keras(bench):
    for name, branch in bench["accuracy_losses"].EVERY.items():
        loss = branch.loss(10, 16, 5)
        kinds = (losses.RobustLoss, keras.losses.Loss)
        assert isinstance(loss, kinds) or name == "Keras GCE .5", name


def test_a_cell_that_has_rows_is_not_run_again(bench, tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    row = dict.fromkeys(("task", "noise", "loss", "seed"), "")
    row |= {"task": "features-100", "noise": "clean", "loss": "CE", "seed": "1"}
    bench["rows"].append(path, [row])
    bench["rows"].append(path, [{**row, "loss": "MAE"}])
    command = ["accuracy.py", "--plan", "--csv", str(path), "--seeds", "1"]
    command += ["--tasks", "features-100", "--noises", "clean"]
    command += ["--losses", "CE", "MAE", "GCE .7"]
    monkeypatch.setattr(sys, "argv", command)
    printed = []
    monkeypatch.setattr("builtins.print", lambda *a, **k: printed.append(a))
    bench["accuracy"].main()
    assert printed == [("features-100", "clean", 1, "GCE .7")]
    other = tmp_path / "other.csv"
    bench["rows"].append(other, [row, {**row, "seed": "2"}])
    keys = bench["accuracy"].KEYS
    assert bench["rows"].collect(path, keys, [other, other]) == 1
    assert len(bench["rows"].read(path)) == 3


def test_no_training_at_a_time_is_an_error(bench, monkeypatch, capsys):
    arguments = ["accuracy.py", "--plan", "--together", "0"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        bench["accuracy"].main()
    assert "--together must be 1 or more" in capsys.readouterr().err


def test_the_committed_tables_are_those_of_the_rows(bench, tmp_path):
    rows = bench["rows"].read(FOLDER / "accuracy.csv")
    known = bench["accuracy_table"].tables(rows, bench["accuracy"].CELLS)
    for page in bench["accuracy"].PAGES:
        copy = tmp_path / page.name
        copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
        bench["accuracy_table"].fill(copy, known)
        message = "run `python benchmarks/accuracy.py --write`"
        assert copy.read_text() == page.read_text(), message
        pattern = r"\| `(CE|CrossEntropy\(\))` \||\| best tuned \|"
        assert re.search(pattern, copy.read_text())


def row(loss, seed, **values):
    kept = {"task": "features-100", "noise": "clean", "loss": loss}
    columns = ("last", "stopped", "held_out", "held_best")
    return {**kept, "seed": str(seed), **dict.fromkeys(columns, "0"), **values}


def test_points_behind_the_best_and_what_tuning_costs(bench):
    table, cells = bench["accuracy_table"], {"features-100": ("clean",)}
    names = ["CE", "MAE", "GCE .7"]
    rows = [
        *(row("CE", seed, last=v) for seed, v in enumerate(("0.5", "0.7"))),
        row("MAE", 0, last="0.55"),
        row("GCE .7", 0, last="0.2"),
    ]
    lines = table.behind(table.Found(rows), cells, names).splitlines()
    assert lines[2] == "| `CE` | 0.0 | 0.0 | 1 |"
    assert lines[4] == "| `GCE .7` | 40.0 | 40.0 | 1 |"
    text = table.of_task(table.Found(rows), *next(iter(cells.items())), names)
    assert "| `CE` | **60.0** ± 14.1 |" in text
    # The best by noisy validation is not the best on the test data.
    grid = [*table.GRIDS["GCE"]]
    rows += [row(name, 0, last="0.3", held_out="0.1") for name in grid]
    rows += [row("ScaledMAE", s, last=v) for s, v in ((0, "0.35"), (1, "0.9"))]
    rows += [row(grid[2], 0, last="0.4", held_out="0.2")]
    rows += [row(grid[3], 0, last="0.6", held_out="0.1")]
    (line,) = table.cost(table.Found(rows), cells).splitlines()[2:]
    start = "| features-100, clean | 40.0 (GCE) | 60.0 | 5.0 |"
    assert line.startswith(start), line


@pytest.mark.parametrize("name", ["CE", "GCE q=0.1"])
def test_a_part_of_the_rows_gives_no_empty_table(bench, name):
    found = bench["rows"].read(FOLDER / "accuracy.csv")
    some = [row for row in found if row["loss"] == name]
    cells = bench["accuracy"].CELLS
    whole = bench["accuracy_table"].tables(some, cells)["whole"]
    assert not re.search(r"--- \|(\n\n|$)", whole)
