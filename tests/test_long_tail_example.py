"""The short form of the long-tail example, and its options."""

import re
from pathlib import Path

import pytest
from helpers import run_here

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "long_tail.py"


def test_prints_the_table_of_both_stages():
    printed = run_here(EXAMPLE, "--smoke", "--methods", "GCL 1")["printed"]
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
def test_bad_arguments_get_a_clear_error(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, *arguments)
    assert message in capsys.readouterr().err
