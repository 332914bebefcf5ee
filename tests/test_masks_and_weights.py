"""Masked and missing samples never count, weights do, or an error says so."""

import keras
import numpy as np
import pytest
from helpers import build, masked, number, values
from keras import ops

from keras_noisy import CrossEntropy
from keras_noisy.losses import Binary, Hill, SmallLoss

P = np.random.default_rng(0).dirichlet(np.ones(3), (2, 4)).astype("float32")
LABELS = np.array([[0, 1, 2, 0], [1, 1, 2, 0]])
MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)


def test_a_masked_sample_is_no_sample_of_its_batch():
    for loss in (
        SmallLoss(CrossEntropy(), 0.6),
        CrossEntropy(balance=1.0),
        CrossEntropy(balance=1.0, label_smoothing=0.1),
        build("PeerLoss", 3, prior=None),
    ):
        alone = number(loss(LABELS[MASK], P[MASK]))
        for labels in (LABELS, np.eye(3)[LABELS]):
            found = number(loss(labels, masked(P, MASK)))
            assert found == pytest.approx(alone, rel=1e-5), loss


@pytest.mark.once
def test_weights_of_another_shape_are_named():
    labels, p = LABELS[0, :3], P[0, :3]
    for loss, y, outputs, bad in (
        # As many samples as classes: a matrix of losses would be the result.
        (CrossEntropy(), labels, p, (3, 3)),
        (SmallLoss(CrossEntropy()), labels, p, (3, 3)),
        (CrossEntropy(), labels, p, (2,)),
        (Binary(CrossEntropy()), LABELS > 1, P[..., 0], (4,)),
        (Hill(), LABELS > 1, P[..., 0], (2, 3)),
    ):
        with pytest.raises(ValueError, match=r"`sample_weight` of shape"):
            loss(y, outputs, np.ones(bad))
        plain = number(loss(y, outputs))
        for weights in (1.0, [1], np.ones((len(y), 1)), np.ones(len(y), bool)):
            found = number(loss(y, outputs, weights))
            assert found == pytest.approx(plain, rel=1e-6)


def test_weights_next_to_a_mask_stay_what_they_are():
    values = number(CrossEntropy(reduction="sum")(LABELS, masked(P, MASK)))
    ignored = np.where(MASK, LABELS, -1)
    several, left = LABELS > 1, np.where(MASK[:, 2:3], LABELS > 1, -1)
    part = number(Hill()(several[1:], P[1:, :, 0])) / 2
    for loss, y, outputs, wanted in (
        (CrossEntropy(), LABELS, masked(P, MASK), values / MASK.sum() / 2),
        (CrossEntropy(ignore_class=-1), ignored, P, values / MASK.sum() / 2),
        (Hill(ignore_class=-1), left, P[..., 0], part),
    ):
        for shape in ((2,), (2, 1)):
            half = ops.full(shape, 0.5, "float32")
            for _ in range(2):
                found = number(loss(y, outputs, half))
                assert found == pytest.approx(wanted, rel=1e-5)


def test_missing_labels_of_python():
    y, p = np.array([[1, None, 0]], object), np.array([[0.75, 0.5, 0.5]])
    found = values(Binary(CrossEntropy()), y, p)
    assert found == pytest.approx([-np.log(0.75 * 0.5) / 2])
    with pytest.raises(ValueError, match=r"a label such as -1.*y_true=nan"):
        CrossEntropy()(y[0], P[0, :3])
    with pytest.raises(ValueError, match=r"numbers\. Received objects"):
        CrossEntropy()([["a"], [2, 3]], P[0, :2])


@pytest.mark.once
def test_the_column_of_a_mistake_among_several_labels():
    y, p = np.array([[1, 0], [0, 3]]), np.array([[0.5, 0.5], [0.5, 1.5]])
    with pytest.raises(ValueError, match=r"each label.*column 1.*Dense\(2,"):
        Hill()(y % 2, p)
    with pytest.raises(ValueError, match=r"1 of 4 are not, the .*in column 1"):
        Hill()(y, p / 2)
    loss, halves = Hill(from_logits=True), np.full((8, 2), 0.5)
    with pytest.warns(UserWarning, match="If it ends in a sigmoid"):
        loss.check(halves > 0, halves)
    with pytest.raises(ValueError, match="1 of 2 are NaN or infinite"):
        loss.check(y[:1], np.array([[0.5, np.nan]]))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="others know all ranks"
)
def test_what_a_graph_does_not_know_of_labels_and_weights_is_named():
    tf = pytest.importorskip("tensorflow")
    p = tf.TensorSpec((None, 3))
    for loss, y in (
        (CrossEntropy(), tf.TensorSpec((None,), "int32")),
        (Hill(), tf.TensorSpec((None, 3), "int32")),
        (SmallLoss(CrossEntropy()), tf.TensorSpec((None,), "int32")),
    ):
        with pytest.raises(ValueError, match="weights whose number of axes"):
            tf.function(loss, autograph=False).get_concrete_function(
                y, p, tf.TensorSpec(None)
            )
        text = tf.TensorSpec(y.shape, "string")
        with pytest.raises(ValueError, match=r"Received text.*StringLookup"):
            tf.function(loss, autograph=False).get_concrete_function(text, p)
    for outputs in ((None, 3), (None, 1), (None,)):
        with pytest.raises(ValueError, match=r"labels.*number of axes"):
            tf.function(CrossEntropy(), autograph=False).get_concrete_function(
                tf.TensorSpec(None, "int32"), tf.TensorSpec(outputs)
            )
