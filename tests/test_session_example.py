"""The short form of the session example, and its options."""

import re
import sys
from pathlib import Path

import pytest
from helpers import run_here

pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples"
EXAMPLE = EXAMPLE / "session_recommendation.py"
OPTIONS = EXAMPLE.read_text(encoding="utf-8").partition('"""\n## The model')[0]


def test_trains_measures_and_recommends():
    options = ["--smoke", "--loss", "GCE*", "--replace", 0.2]
    printed = run_here(EXAMPLE, *options)["printed"]
    recall, mrr = re.findall(r"^(?:P|MRR)@20 +(\d+\.\d\d) %$", printed, re.M)
    # By chance it would be a third, and 6 %.
    assert float(recall) > 80 and float(mrr) > 40
    assert "20% of the clicks replaced" in printed
    assert re.search(r"we recommend \[(\d+, ){9}\d+\]", printed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data-dir is needed"),
        (["--smoke", "--replace", "1"], "--replace must be at least 0"),
        (["--smoke", "--share", "0"], "--share must be above 0"),
        (["--smoke", "--loss", "XYZ"], "--loss "),
        (["--smoke", "--loss", "ELR"], "--loss "),
    ],
)
def test_bad_arguments_get_a_clear_error(
    arguments, message, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *arguments])
    with pytest.raises(SystemExit):
        exec(compile(OPTIONS, EXAMPLE, "exec"), {})
    assert message in capsys.readouterr().err
