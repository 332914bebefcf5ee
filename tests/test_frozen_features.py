"""The short form of the frozen-features example, and its options."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import run_here

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "frozen_features.py"
UNTIL = '"""\n## Features'


def test_prints_a_table():
    found = run_here(EXAMPLE, "--smoke")
    printed = found["printed"]
    says = re.search(
        r"(\d+\.\d) % of the labels.*estimated (\d+\.\d) %", printed
    )
    wrong, estimated = map(float, says.groups())
    assert abs(wrong - estimated) < 8
    rows = dict(
        re.findall(r"^\| ([a-z ]+) \| [\d,]+ \| (\d+\.\d) \|$", printed, re.M)
    )
    ways = "as they are, drop, drop twice, relabel, weight, soft, true"
    assert ", ".join(rows) == ways
    assert float(rows["drop"]) > 75 and float(rows["relabel"]) > 75
    seen = {row.tobytes() for row in np.round(found["x"], 2)}
    tested = [row.tobytes() for row in np.round(found["x_test"], 2)]
    assert len(tested) > 500 and seen.isdisjoint(tested)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "human"], "--noise human needs --data-dir"),
        (["--rate", "1"], "--rate must be"),
        (["--losses", "GCE", "ELR"], "--losses ELR"),
    ],
)
def test_bad_options_get_a_clear_error(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, *arguments, until=UNTIL)
    assert message in capsys.readouterr().err
