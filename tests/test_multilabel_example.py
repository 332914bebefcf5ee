"""The short form of the multi-label example, and its options."""

import re
from pathlib import Path

import pytest
from helpers import run_here

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "multilabel_digits.py"


def test_prints_and_saves_the_table(tmp_path):
    file = tmp_path / "results.csv"
    names = ("BCE", "Binary(CE, noise_rates)", "SPLC")
    printed = run_here(EXAMPLE, "--smoke", "--losses", *names, "--csv", file)[
        "printed"
    ]
    rows = re.findall(r"^\| (.*?)(?: \| \d+\.\d){2} \|$", printed, re.MULTILINE)
    assert rows == list(names)
    assert "of all are wrong" in printed
    saved = file.read_text().splitlines()
    assert saved[0] == "missing,flipped,seed,loss,last,best"
    assert len(saved) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--missing", "1"], "--missing must be at least 0"),
        (["--flipped", "0.6"], "a sum below 1"),
        (["--losses", "MSE"], "'MSE' is none of"),
        (["--epochs", "0"], "--epochs must be 1 or more"),
        (["--csv", "nowhere/x.csv"], "--csv must be in a folder that exists"),
    ],
)
def test_bad_arguments_get_a_clear_error(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, "--smoke", *arguments)
    assert message in capsys.readouterr().err
