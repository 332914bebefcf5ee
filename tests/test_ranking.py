"""Recall and reciprocal rank among the highest scores."""

import json

import helpers
import keras
import numpy as np
import pytest
from helpers import number

from keras_noisy.metrics import MRRAt, RecallAt

GOLDEN = json.loads((helpers.TESTS / "golden_session.json").read_text())
KINDS = {"P": RecallAt, "MRR": MRRAt}


def measured(metric, labels, scores, weights=None):
    metric.update_state(labels, scores, weights)
    return number(metric.result())


def test_measures_of_the_field():
    """In percent, of item numbers from 1, in two batches and in one."""
    golden = GOLDEN["session"]["metrics"]
    scores = np.array(golden["scores"], "float32")
    labels = np.array(golden["targets"]) - 1
    for name, kind in KINDS.items():
        for k, note in ((20, ""), (5, " (formula)")):
            metric = kind(k)
            metric.update_state(labels[:2], scores[:2])
            found = 100 * measured(metric, labels[2:], scores[2:])
            np.testing.assert_allclose(
                found, golden[f"{name}@{k}{note}"], rtol=1e-5
            )


def test_ties_weights_and_what_is_no_number():
    equal = np.zeros((4, 4), "float32")
    labels = np.arange(4)
    # Classes before the label win ties: the ranks are 1, 2, 3, 4.
    assert measured(RecallAt(2), labels, equal) == 0.5
    assert measured(MRRAt(2), labels, equal) == 0.375
    assert measured(RecallAt(9), labels, equal) == 1
    assert measured(RecallAt(2), labels, equal, [3, 1, 0, 4]) == 0.5
    with_index = np.stack([labels, labels + 7], axis=1)
    assert measured(RecallAt(2), with_index, equal) == 0.5
    assert measured(RecallAt(2), labels[:, None], equal) == 0.5
    # NaN never counts as a high score.
    for row, k in (([np.nan, 1, 2], 1), ([np.nan] * 3, 2), ([1, np.nan, 0], 9)):
        label = 1 if k == 9 else 2
        found = measured(RecallAt(k), [label], np.array([row], "float32"))
        assert found == 0
    for wrong in (-1, 3, 2**31 - 1):
        scores = np.zeros((1, 3), "float32")
        assert np.isnan(measured(MRRAt(2), [wrong], scores))


@pytest.mark.once
def test_names_configs_and_mistakes():
    for kind, name in ((RecallAt, "recall_at_20"), (MRRAt, "mrr_at_20")):
        assert kind().name == name
        metric = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(kind(5, name="mine"))
        )
        assert type(metric) is kind and (metric.k, metric.name) == (5, "mine")
        with pytest.raises(ValueError, match="`k`"):
            kind(0)
        with pytest.raises(ValueError, match="y_true"):
            kind().update_state(np.zeros((2, 4)), np.zeros((2, 4)))
