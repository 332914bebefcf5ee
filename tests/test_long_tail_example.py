"""The example of long tails in its short form, and its options."""

import re
import sys
from pathlib import Path

import keras
import pytest
from helpers import run_python

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "long_tail.py"
OPTIONS = EXAMPLE.read_text(encoding="utf-8").partition('"""\n## Data')[0]


def test_prints_the_table_of_both_stages():
    printed = run_python(
        EXAMPLE,
        *("--smoke", "--methods", "GCL 1"),
        backend=keras.backend.backend(),
        # Otherwise PyTorch crawls where other programs share the processor.
        OMP_NUM_THREADS="1",
    )
    numbers = r"(?: \| \d+\.\d){4} \|$"
    rows = re.findall(rf"^\| (.*?){numbers}", printed, re.MULTILINE)
    assert rows == ["GCL 1", "GCL 2"]
    assert "% of them wrong" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--imbalance", "0"], "--imbalance must be above 0"),
        (["--rate", "1"], "--rate must be at least 0"),
        (["--dataset", "cifar100"], "needs --data-dir"),
    ],
)
def test_bad_arguments_get_a_clear_error(
    arguments, message, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, *arguments])
    with pytest.raises(SystemExit):
        exec(compile(OPTIONS, EXAMPLE, "exec"), {})
    assert message in capsys.readouterr().err
