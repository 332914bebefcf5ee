"""The figures of the paper: the program draws the committed ones again."""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import program

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

# Figure 5 is left out: it runs a ResNet-34.
pytestmark = pytest.mark.once

DOCS = Path(__file__).parent.parent / "docs"
COMMITTED = DOCS / "paper_figures"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder into which the program drew its figures."""
    path = DOCS / "paper_figures.py"
    module = program(path)
    module.FOLDER = tmp_path_factory.mktemp("figures")
    # Figure 6 trains only what has no rows yet.
    shutil.copy(COMMITTED / "figure_6.csv", module.FOLDER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(path), "--figures", *"12346"])
        module.main()
    return module.FOLDER


def curves(path):
    """Points of each line; the bars show logits that the backend draws."""
    found = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] != "bar":
                points = found.setdefault((row["panel"], row["label"]), [])
                points.append((float(row["x"]), float(row["y"])))
    return found


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6])
def test_the_program_draws_the_committed_figure(number, drawn):
    name = f"figure_{number}"
    committed, now = (curves(f / f"{name}.csv") for f in (COMMITTED, drawn))
    assert now.keys() == committed.keys() and len(now) > 1
    for curve, points in committed.items():
        np.testing.assert_allclose(now[curve], points, rtol=1e-5, atol=1e-6)
    assert (drawn / f"{name}.png").stat().st_size > 10_000
