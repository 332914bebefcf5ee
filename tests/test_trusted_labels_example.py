"""The short form of the trusted-labels example, and its options."""

import re
from pathlib import Path

import pytest
from helpers import run_here

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "trusted_labels.py"
UNTIL = '"""\n## Data'


def test_prints_a_table():
    printed = run_here(EXAMPLE, "--smoke")["printed"]
    head, row = re.findall(r"^\| ([a-z].*) \|$", printed, re.MULTILINE)
    methods = head.split(" | ")[2:]
    assert methods == [
        "CE, trusted",
        "GCE auto",
        "Forward, true T",
        "LDCE",
        "LDCE, hard",
        "LDCE, soft",
        "AUC",
    ]
    assert re.fullmatch(r"symmetric \| 20%( \| \d+\.\d){6} \| 0\.\d+", row)


@pytest.mark.parametrize("share", ["0.01", "0.999"])
def test_too_few_of_a_kind_are_an_error_before_the_training(share, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, "--samples", 400, "--trusted", "0.1", share)
    assert f"--trusted {share} must be at least one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "human"], "--noise human is for --dataset cifar100"),
        (["--dataset", "cifar100"], "needs --data-dir"),
        (["--trusted", "1"], "--trusted must be above 0"),
    ],
)
def test_bad_options_get_a_clear_error(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, *arguments, until=UNTIL)
    assert message in capsys.readouterr().err
