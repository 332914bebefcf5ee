"""Models saved by earlier versions load unchanged."""

import json
import math
import sys
from pathlib import Path

import keras
import pytest
from helpers import number

sys.path.insert(0, str(Path(__file__).parent / "saved_models"))

import write

pytestmark = pytest.mark.once

EXPECTED = json.loads(write.EXPECTED.read_text())
FILES = sorted(write.HERE.glob("*.keras"))


def test_there_is_one_of_every_loss():
    assert sorted(file.stem for file in FILES) == sorted(EXPECTED)
    assert len(FILES) >= 62


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_saved_model_has_the_same_loss_and_config(file):
    model = keras.models.load_model(file)
    expected = EXPECTED[file.stem]
    x, labels = write.batch()
    value = number(model.loss(labels, model(x, training=False)))
    assert value == pytest.approx(expected["loss"], rel=1e-5, abs=1e-6)
    assert math.isfinite(value)
    config = write.described(model.loss)
    assert_covers(config, expected["config"])


def assert_covers(config, expected, name="config"):
    """The config may gain new arguments, also in its parts."""
    if not isinstance(expected, dict):
        assert config == expected, name
        return
    assert set(config) >= set(expected)
    for key, found in expected.items():
        assert_covers(config[key], found, key)
