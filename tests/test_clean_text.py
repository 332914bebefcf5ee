"""The text example, including one of its trainings."""

import re
from pathlib import Path

import pytest
from helpers import run_here

pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "clean_text.py"


def test_finds_wrong_labels_of_texts():
    names = run_here(EXAMPLE, "--epochs", 5, until="\nheads = {")
    says = re.search(
        r"(\d+\.\d) % of the labels.*estimated (\d+\.\d) %.*; (\d+\.\d) %",
        names["printed"],
    )
    wrong, estimated, precision = map(float, says.groups())
    assert abs(wrong - estimated) < 6 and precision > 75
    kept = names["found"].clean(names["x"], names["given"])
    loss = names["losses"].GCE(q=0.7, from_logits=True)
    assert names["accuracy"](loss, *kept) > 70
