"""The example that compares optimizers: a short run."""

import re
from pathlib import Path

import keras
import pytest
from helpers import run_python

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parent.parent / "examples" / "wide_minima.py"


@pytest.mark.once
def test_prints_a_table_and_saves_a_picture(tmp_path):
    printed = run_python(
        *(EXAMPLE, "--smoke", "--output", tmp_path / "rise.png"),
        backend=keras.backend.backend(),
        OMP_NUM_THREADS="1",
        OMP_WAIT_POLICY="passive",
    )
    found = re.findall(
        r"^\| 0\.4 \| (.+?) \|(?: -?\d+\.\d % \|){4}$", printed, re.MULTILINE
    )
    assert found == ["SGD", "Entropy-SGD", "Replicated SGD", "SAM"]
    assert (tmp_path / "rise.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.once
def test_bad_options_get_a_clear_error():
    printed = run_python(
        *(EXAMPLE, "--noise", 1),
        backend=keras.backend.backend(),
        fails=True,
    )
    assert "error: --noise must be at least 0 and below 1" in printed
