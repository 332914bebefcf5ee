"""The example of a few trusted labels in its short form, and its options."""

import re
from pathlib import Path

import keras
import pytest
from helpers import run_python

pytest.importorskip("sklearn")
pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples" / "trusted_labels.py"


def test_prints_a_table():
    printed = run_python(
        *(EXAMPLE, "--smoke"),
        backend=keras.backend.backend(),
        OMP_NUM_THREADS="1",
    )
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


def test_bad_options_get_a_clear_error():
    printed = run_python(
        *(EXAMPLE, "--noise", "human"),
        backend=keras.backend.backend(),
        fails=True,
    )
    assert "error: --noise human is for --dataset cifar100" in printed
