"""Models of sessions: padding, users, training, saving, resuming."""

import sys

import keras
import numpy as np
import pytest
from helpers import compiled
from keras import ops

from keras_noisy import losses
from keras_noisy.callbacks import Resume
from keras_noisy.datasets import SessionDataset, Sessions
from keras_noisy.metrics import MRRAt, RecallAt
from keras_noisy.models import PIAGNN, SRGNN

ITEMS = 12
BACKEND = keras.backend.backend()
#: XLA takes longest on TensorFlow.
JIT = {"jax": True, "tensorflow": "--run-slow" in sys.argv, "torch": False}


def numpy(x):
    return ops.convert_to_numpy(x)


def walks(longest):
    """Sessions on a ring of items: the next click is the next item."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, longest + 1, 100)
    starts = rng.integers(ITEMS, size=100)
    return Sessions(
        [
            (start + np.arange(length)) % ITEMS + 1
            for start, length in zip(starts, lengths, strict=True)
        ],
        ITEMS,
    )


BUILDS = {
    "SRGNN": lambda: SRGNN(ITEMS, 8, steps=2),
    "TAGNN": lambda: SRGNN(ITEMS, 8, target_attention=True),
    "PIAGNN": lambda: PIAGNN(ITEMS, 8, slice_size=7),
    "PIAGNN with users": lambda: PIAGNN(ITEMS, 8, num_users=3, user_units=4),
}


@pytest.mark.parametrize("name", BUILDS)
def test_padding_changes_no_score_and_bad_input_is_not_a_number(name):
    """Zeros at either end; invalid items and users."""
    model = BUILDS[name]()
    session = [3, 5, 3, 7]
    clicks = np.zeros((6, 9), "int32")
    clicks[0, :4], clicks[1, 5:], clicks[2, 2:6] = (session,) * 3
    clicks[4, :2], clicks[5, :3] = (1, ITEMS + 1), (4, -1, 4)
    users = np.array([2] * 6, "int32")
    network = compiled(lambda clicks, users: model((clicks, users)))
    if "users" not in name:
        network = compiled(lambda clicks, users: model(clicks))
    scores = numpy(network(clicks, users))
    assert scores.shape == (6, ITEMS)
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-6)
    np.testing.assert_allclose(scores[2], scores[0], atol=1e-6)
    assert np.isfinite(scores[:3]).all() and np.isnan(scores[3:]).all()
    if "users" in name:
        strangers = np.array([2, 0, 9, 1, 1, 1], "int32")
        other = numpy(network(clicks, strangers))
        np.testing.assert_allclose(other[0], scores[0], atol=1e-6)
        assert np.abs(other[1] - scores[1]).max() > 1e-3
        assert np.isnan(other[2]).all()


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_clicks_need_not_hold_the_number_of_items(dtype):
    model = PIAGNN(300, 4, num_users=300, user_units=4)
    clicks, users = np.array([[1, 100, 0]]), np.array([7])
    scores = compiled(lambda clicks, users: model((clicks, users)))
    given = scores(clicks.astype(dtype), users.astype(dtype))
    np.testing.assert_allclose(
        numpy(given), numpy(scores(clicks, users)), rtol=1e-5
    )


@pytest.mark.parametrize(
    "name",
    [
        "SRGNN",
        *(
            pytest.param(n, marks=pytest.mark.once)
            for n in ("TAGNN", "PIAGNN with users")
        ),
    ],
)
def test_recommends_and_is_saved(name, tmp_path):
    model = BUILDS[name]()
    given = np.array([[3, 5, 3, 7]], "int32")
    user = {"user": 2} if "users" in name else {}
    items, found = model.recommend(given[0], k=3, **user)
    file = tmp_path / "model.keras"
    model.save(file)
    again = keras.models.load_model(file)
    assert again.get_config() == model.get_config()
    inputs = (given, np.array([2], "int32")) if user else given
    scores = again.predict(inputs, verbose=0)[0]
    wanted = np.argsort(-scores)[:3]
    np.testing.assert_array_equal(items, wanted + 1)
    np.testing.assert_allclose(found, scores[wanted], atol=1e-6)


class Stop(keras.callbacks.Callback):
    """Ends `fit` with an error in its second epoch."""

    seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == 13:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "save_freq",
    [
        # TensorFlow traces three models.
        pytest.param(
            4, marks=pytest.mark.slow if BACKEND == "tensorflow" else ()
        )
    ],
)
def test_goes_on_after_a_stop_with_equal_weights(save_freq, tmp_path):
    """Stopped within an epoch; rows of two lengths; any loss of ours."""

    def train(directory, callbacks=()):
        keras.utils.set_random_seed(1)
        resume = Resume(tmp_path / directory, save_freq)
        model = SRGNN(ITEMS, 8)
        loss = losses.GCE("auto", num_classes=ITEMS, from_logits=True)
        model.compile(
            keras.optimizers.Adam(0.1),
            loss,
            metrics=[RecallAt(1), MRRAt(3)],
            jit_compile=JIT[BACKEND],
        )
        data = SessionDataset(walks(8), 40, training=True, start=resume.start)
        assert len(data) == 10
        model.fit(
            data,
            epochs=4,
            initial_epoch=resume.initial_epoch,
            shuffle=False,
            callbacks=[*callbacks, resume],
            verbose=0,
        )
        return model, resume

    model, whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("stopped", [Stop()])
    again, resumed = train("stopped")
    assert resumed.initial_epoch == 4
    for left, right in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(left), numpy(right))
    assert resumed.history == whole.history
    assert {"recall_at_1", "mrr_at_3"} < set(whole.history)
    assert whole.history["recall_at_1"][-1] > 0.9


def test_learns_with_interest_in_slices():
    keras.utils.set_random_seed(1)
    model = BUILDS["PIAGNN"]()
    loss = losses.CrossEntropy(num_classes=ITEMS, from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.05),
        loss,
        metrics=[RecallAt(1)],
        jit_compile=JIT[BACKEND],
    )
    data = SessionDataset(walks(8), 40, training=True)
    history = model.fit(data, epochs=8, shuffle=False, verbose=0).history
    assert history["recall_at_1"][0] < 0.6 < 0.85 < history["recall_at_1"][-1]


@pytest.mark.once
def test_mistakes_are_named():
    model = SRGNN(ITEMS, 4)
    with pytest.raises(ValueError, match="integers of shape"):
        model(np.ones(3, int))
    with pytest.raises(ValueError, match="at least one column"):
        model(np.ones((3, 0), int))
    # Whole floats are numbers, as on several devices of TensorFlow.
    rows = [[2, 3], [2, 3.5], [2**24 + 2, 3], [np.nan, 3]]
    scores = numpy(model(np.array(rows, "float32")))
    whole = numpy(model(np.array([[2, 3]])))
    np.testing.assert_allclose(scores[:1], whole, atol=1e-6)
    assert np.isnan(scores[1:]).all()
    for session in ([], [0, 1], [ITEMS + 1], [[1, 2]], [1.5]):
        with pytest.raises(ValueError, match="`session`"):
            model.recommend(session)
    with pytest.raises(ValueError, match="`k`"):
        model.recommend([1], k=ITEMS + 1)
    with pytest.raises(ValueError, match="`units`"):
        SRGNN(ITEMS, 0)
    with pytest.raises(ValueError, match="`num_users`"):
        PIAGNN(ITEMS, num_users=-1)
    with pytest.raises(ValueError, match=r"\(clicks, users\)"):
        PIAGNN(ITEMS, 4, num_users=2)(np.ones((1, 2), int))
    with pytest.raises(ValueError, match="`user`"):
        PIAGNN(ITEMS, 4, num_users=2).recommend([1], k=1, user=3)


def test_half_precision():
    model = PIAGNN(ITEMS, 8, dtype="mixed_float16")
    scores = model.predict(np.array([[3, 5, 0]]), verbose=0)
    assert scores.dtype == "float16" and np.isfinite(scores).all()


@pytest.mark.once
def test_a_regularizer_has_every_weight():
    model = SRGNN(ITEMS, 4, regularizer=keras.regularizers.L2(0.5))
    squares = sum(np.square(numpy(w)).sum() for w in model.trainable_weights)
    penalty = sum(float(numpy(loss)) for loss in model.losses)
    np.testing.assert_allclose(penalty, 0.5 * squares, rtol=1e-5)


@pytest.mark.parametrize("name", ["SRGNN", "PIAGNN"])
def test_weights_of_one_shape_start_different(name):
    """An initializer that is an object would give all the same numbers."""
    arguments = (
        {"num_users": ITEMS, "user_units": 8} if name == "PIAGNN" else {}
    )
    initializer = keras.initializers.RandomNormal()
    model = {"SRGNN": SRGNN, "PIAGNN": PIAGNN}[name](
        ITEMS, 8, initializer=initializer, **arguments
    )
    drawn = [w for w in map(numpy, model.weights) if len(set(w.flat)) > 2]
    assert len(drawn) > 5
    assert len({w.tobytes() for w in drawn}) == len(drawn)
