"""The benchmark of accuracy: side by side is alone, and its tables add up."""

import csv
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
    """Modules of the benchmark, which import each other by name."""
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
    # Without dropout, whose masks PyTorch draws one after the other.
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


def test_the_committed_tables_are_those_of_the_rows(bench, capsys):
    rows = bench["rows"].read(FOLDER / "accuracy.csv")
    bench["accuracy_table"].show(rows, bench["accuracy"].CELLS)
    page = (FOLDER / "accuracy.md").read_text(encoding="utf-8")
    message = "run `python benchmarks/accuracy.py --table > accuracy.md`"
    assert capsys.readouterr().out.strip() in page, message


def test_points_behind_the_best(bench, capsys):
    with (FOLDER / "accuracy.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["task"] == "digits-100"]
    rows = [r for r in rows if r["noise"] == "clean"]
    table = bench["accuracy_table"]
    table.show(rows, {"digits-100": ("clean",)})
    text = capsys.readouterr().out
    means = {}
    for name in (*table.LOSSES, *table.TRICKS):
        of_loss = [float(r["last"]) for r in rows if r["loss"] == name]
        if of_loss:
            means[name] = 100 * np.mean(of_loss)
    best = max(means, key=means.get)
    assert f"| `{best}` | 0.0 | 0.0 | 1 |" in text
    behind = means[best] - means["CE"]
    assert f"| `CE` | {behind:.1f} | {behind:.1f} | 1 |" in text
