"""The tables of examples in the pages are those of their CSV files."""

import csv
import sys

import pytest
from helpers import TESTS

FOLDER = TESTS.parent / "benchmarks"

pytestmark = pytest.mark.once


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield __import__("example_tables")
    for name in ("example_tables", "accuracy_table", "accuracy_losses"):
        sys.modules.pop(name, None)


def test_every_table_is_in_its_page(study):
    for name, table in study.TABLES.items():
        page = study.ROOT / "docs" / f"{table.page}.md"
        text = f"<!-- table: {name} -->\n\n{study.markdown(name)}\n\n<!-- end"
        assert text in page.read_text(encoding="utf-8")


def test_a_run_writes_what_the_example_prints(study, monkeypatch, tmp_path):
    example = tmp_path / "examples" / "some.py"
    example.parent.mkdir()
    example.write_text(
        "import os, sys\n"
        "print('A line.', '| a | b |', '| --- | --- |', sep='\\n')\n"
        "print(f'| {sys.argv[1]} | {os.environ[\"KERAS_BACKEND\"]} |')\n"
    )
    monkeypatch.setattr(study, "ROOT", tmp_path)
    monkeypatch.setattr(study, "FOLDER", tmp_path / "tables")
    table = study.Table("page", "some.py 1", "torch", needs_data=False)
    monkeypatch.setitem(study.TABLES, "some, 1", table)
    study.run("some, 1", None)
    with (tmp_path / "tables" / "some_1.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], ["1", "torch"]]
    assert study.markdown("some, 1").endswith("| --- | --- |\n| 1 | torch |")
