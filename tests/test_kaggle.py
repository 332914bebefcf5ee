"""The notebook of a competition: a short run, and what it shows."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import run_here

pytestmark = pytest.mark.once
Image = pytest.importorskip("PIL.Image")
pytest.importorskip("sklearn")

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_a_short_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Of an earlier run with other numbers.
    (tmp_path / "images/train/zero").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "images/train/zero/00000.png")
    monkeypatch.setenv("SHORT_RUN", "1")
    names = run_here(ROOT / "examples" / "kaggle.py")
    assert len(names["files"].files) == len(names["is_wrong"]) == 300
    assert np.mean(names["is_wrong"]) == pytest.approx(0.4, abs=0.1)
    for probabilities in (names["first"], names["second"]):
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(names["unseen"].sum(axis=1), 1, atol=1e-5)
    kept, dropped = names["kept"], names["dropped"]
    assert sorted([*kept, *dropped]) == list(range(300))
    printed = names["printed"]
    assert printed.startswith("keras-noisy ")
    rows = re.findall(r"^(.+?) +\d+\.\d%$", printed, re.MULTILINE)
    assert rows[-1] == "the same without suspects" and len(rows) == 4
    assert f"suspects: {len(dropped)} of 300" in printed


def test_the_notebook_shows_what_the_tricks_gain():
    nbformat = pytest.importorskip("nbformat")
    file = ROOT / "notebooks" / "kaggle.ipynb"
    text = file.read_text(encoding="utf-8")
    cells = nbformat.read(file, as_version=4).cells
    printed = "".join(
        out.get("text", "") for c in cells for out in c.get("outputs", [])
    )
    gained = [float(x) for x in re.findall(r" +(\d+\.\d)%\n", printed)]
    assert len(gained) == 4
    assert gained[1] < gained[2] and gained[1] < gained[3]
    assert not re.search(r"/(work|tmp|home)/", text)
    assert file.stat().st_size < 100_000
