"""The notebooks: in step with their examples, executed, small; and short runs.

Examples with their own tests run there.
"""

import re
from pathlib import Path

import pytest
from helpers import program, run_here

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")


GENERATE = program(ROOT / "notebooks" / "generate.py")


@pytest.mark.parametrize("name", GENERATE.NOTEBOOKS)
def test_a_notebook_is_its_example_executed(name):
    file = GENERATE.notebook_file(name)
    notebook = nbformat.read(file, as_version=4)
    there = GENERATE.sources(GENERATE.to_notebook(name))
    assert GENERATE.sources(notebook) == there, (
        f"run `python notebooks/generate.py {name}`"
    )
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert any(cell.outputs for cell in code)
    text = re.sub(r'"image/png": ".*"', "", file.read_text(encoding="utf-8"))
    assert not re.search(r"/(work|tmp|home)/", text)
    assert file.stat().st_size < 500_000


def test_the_picture_of_the_readme_is_that_of_the_quickstart():
    file = GENERATE.notebook_file("quickstart")
    notebook = nbformat.read(file, as_version=4)
    picture = GENERATE.PICTURE.read_bytes()
    assert picture == next(GENERATE.pictures(notebook))
    outputs = [
        out for cell in notebook.cells for out in cell.get("outputs", [])
    ]
    printed = "".join(out.get("text", "") for out in outputs)
    rows = re.findall(r"(\S+) *\| +([\d.]+)% \| +([\d.]+)%", printed)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(rows) == 5
    for _, last, best in rows:
        assert f"| {last} % | {best} % |" in readme


def test_a_missing_folder_is_an_error_before_any_notebook_runs(
    monkeypatch, capsys
):
    def never(*given):
        raise AssertionError("it ran")

    monkeypatch.setattr(GENERATE, "execute", never)
    for options in ([], ["--data-dir", "nowhere"]):
        monkeypatch.setattr("sys.argv", ["generate.py", *options])
        with pytest.raises(SystemExit):
            GENERATE.main()
        assert "human_labels needs --data-dir" in capsys.readouterr().err


def test_options_of_a_notebook_are_in_its_cells():
    cells = GENERATE.sources(GENERATE.to_notebook("session_recommendation"))
    assert any('parse_args(["--smoke"] if' in text for _, text in cells)


def test_calibration_in_short():
    found = run_here(
        ROOT / "examples" / "calibration.py", "--samples", 300, "--epochs", 1
    )
    assert "logit_bias = 2.5179" in found["printed"]
    assert [*found["histories"]] == ["MAE", "MAE*", "GCE-auto", "ScaledMAE"]


def test_human_labels_in_short():
    """On digits: the labels of people are for non-commercial use."""
    found = run_here(ROOT / "examples" / "human_labels.py", "--smoke")
    assert "taken for" in found["printed"]
    assert [len(curve) for curve in found["curves"].values()] == [2, 2, 2]


def test_wrong_labels_are_found_and_mended_in_short():
    found = run_here(
        ROOT / "examples" / "mend_labels.py",
        *("--samples", 1000, "--epochs", 2, "--folds", 2),
        until='"""\n## Mend them',
    )
    assert found["probabilities"].shape == (1000, 100)
    assert len(found["worst"]) == 12
    assert found["suspect"].any() and 0 < found["right"] <= 1
