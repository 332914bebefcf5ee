"""The page about Keras' own robust loss is true of both losses."""

from pathlib import Path

import keras
from helpers import program

from keras_noisy import GCE

ROOT = Path(__file__).parent.parent


def test_every_row_is_found_again():
    """The column of Keras is for the version that was measured."""
    neighbors = program(ROOT / "benchmarks" / "neighbors.py")
    rows = [
        row
        for row in neighbors.recorded()
        if row["backend"] == keras.backend.backend()
        and not row["question"].startswith("processor time")
    ]
    found = neighbors.answers(GCE)
    assert {row["question"]: row["ours"] for row in rows} == found
    if rows[0]["keras_version"] == keras.__version__:
        theirs = neighbors.answers(neighbors.KERAS)
        assert {row["question"]: row["keras"] for row in rows} == theirs
    page = (ROOT / "docs" / "neighbors.md").read_text(encoding="utf-8")
    assert neighbors.table() in page
