"""The example that compares optimizers: a short run."""

import re
from pathlib import Path

import pytest
from helpers import run_here

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parent.parent / "examples" / "wide_minima.py"


@pytest.mark.once
def test_prints_a_table_and_saves_a_picture(tmp_path):
    options = ["--smoke", "--output", tmp_path / "rise.png"]
    printed = run_here(EXAMPLE, *options)["printed"]
    found = re.findall(
        r"^\| 0\.4 \| (.+?) \|(?: -?\d+\.\d % \|){4}$", printed, re.MULTILINE
    )
    assert found == ["SGD", "Entropy-SGD", "Replicated SGD", "SAM"]
    assert (tmp_path / "rise.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", 1], "--noise must be at least 0 and below 1"),
        (["--output", "nowhere/rise.png"], "--output must be in a folder that"),
    ],
)
def test_bad_options_get_a_clear_error(capsys, arguments, message):
    until = '\n"""\n## The network'
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, *arguments, until=until)
    assert f"error: {message}" in capsys.readouterr().err
