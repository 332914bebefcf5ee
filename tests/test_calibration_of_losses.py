"""Calibration of every loss of the catalogue."""

import keras
import numpy as np
import pytest
from helpers import CATALOGUE, build

from keras_noisy.calibration import average_error
from keras_noisy.losses import (
    AEL,
    AGCE,
    AUL,
    GCE,
    MAE,
    NCE,
    NGCE,
    NMAE,
    RCE,
    SCE,
    ActivePassive,
    BiTempered,
    CrossEntropy,
    EpsilonSoftmaxCE,
    GeneralizedJensenShannon,
    GivenLabelLoss,
    JensenShannon,
    PeerLoss,
    SmallLoss,
)

#: Losses that get smaller with more classes for any bias,
#: or that send no error to a fresh network.
NO_BIAS = {
    "NCE",
    "NFL",
    "NGCE",
    "NMAE",
    "NRCE",
    "AMSE",
    "TruncatedGCE",
}


@pytest.mark.once
@pytest.mark.parametrize(
    "num_classes",
    [
        10,
        *(
            pytest.param(count, marks=pytest.mark.once)
            for count in (2, 100, 1000, 30_000)
        ),
    ],
)
def test_sampling_of_the_whole_distribution_is_within_a_hundredth(num_classes):
    """For losses with another form that has an exact error."""
    for sampled, exact in (
        (ActivePassive(NGCE(q=1.0), MAE(), 0.0, 0.5), GCE(q=1.0)),
        (BiTempered(1.0, 1.0), CrossEntropy()),
        (GeneralizedJensenShannon(0.3, views=1), JensenShannon(0.3)),
        (EpsilonSoftmaxCE(m=0.0), CrossEntropy()),
        (NGCE(q=1.0), NMAE()),
    ):
        assert average_error(sampled, num_classes) == pytest.approx(
            average_error(exact, num_classes), rel=1e-2
        )


ONE_CLASS_COUNT = {k for k, v in CATALOGUE.items() if v.of_class_count(60)}


@pytest.mark.parametrize("name", sorted(ONE_CLASS_COUNT))
def test_a_loss_for_one_number_of_classes_has_no_automatic_bias(name):
    with pytest.raises(ValueError, match="for 60 classes alone"):
        build(name, 60, logit_bias="auto")


#: Found by exact moments and by integration. The formulas themselves are
#: compared on every backend elsewhere.
EVERYWHERE = {"GCE", "Focal"}
SAMPLED = "ActivePassive"


def found_as_others(name):
    """Marks of a loss: sampling takes seconds, and another stands for it."""
    if name in EVERYWHERE:
        return ()
    loss = build(name, 60, from_logits=True, logit_bias=None)
    once = loss.has_formula or name == SAMPLED
    return pytest.mark.once if once else pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=found_as_others(name))
        for name in sorted(set(CATALOGUE) - NO_BIAS - ONE_CLASS_COUNT)
    ],
)
def test_automatic_bias_of_every_loss(name):
    """It gives many classes the error of ten, as the rule says."""
    loss = build(name, 60, from_logits=True, logit_bias="auto", num_classes=60)
    few = build(name, 10, from_logits=True, logit_bias=None)
    assert average_error(loss, 60) == pytest.approx(
        average_error(few, 10), rel=1e-2
    )
    assert 0 < loss.logit_bias < 15


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(NO_BIAS))
def test_losses_that_no_bias_starts_say_so(name):
    with pytest.raises(ValueError, match=r"No logit bias|no error"):
        build(name, 60, from_logits=True, logit_bias="auto", num_classes=60)(
            [0], np.zeros((1, 60), "float32")
        )


@pytest.mark.parametrize(
    ("loss_class", "name", "arguments"),
    [
        (GCE, "q", {}),
        (
            ActivePassive,
            "alpha",
            {"active": CrossEntropy(), "passive": RCE(), "beta": 0.5},
        ),
        *(
            pytest.param(*case, marks=pytest.mark.once)
            for case in (
                (SCE, "alpha", {}),
                (AGCE, "q", {"a": 1e-5}),
                (AGCE, "a", {}),
                (AUL, "a", {}),
                (AEL, "a", {}),
                (
                    ActivePassive,
                    "alpha",
                    {"active": NCE(), "passive": MAE(), "beta": 0.5},
                ),
            )
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else getattr(x, "__name__", ""),
)
def test_automatic_hyperparameters(loss_class, name, arguments):
    """AGCE with a moderate shift reaches the error of few up to 20 classes."""
    num_classes = 20 if (loss_class, name) == (AGCE, "a") else 100
    reference = loss_class(**{**arguments, name: loss_class.references[name]})
    for classes in (10, num_classes):
        loss = loss_class(**{**arguments, name: "auto"}, num_classes=classes)
        assert average_error(loss, classes) == pytest.approx(
            average_error(reference, 10), rel=1e-3
        )
        assert loss.get_config()[name] == "auto"
    assert getattr(loss, name) != loss_class.references[name]


@pytest.mark.once
def test_a_peer_loss_is_calibrated_with_even_shares():
    """Half of it would cancel for a sample whose labels are all the same."""
    even = PeerLoss(0.5, prior=[0.1] * 10)
    assert average_error(PeerLoss(0.5), 10) == average_error(even, 10)
    assert PeerLoss(0.5, num_classes=60, logit_bias="auto").logit_bias > 1


@pytest.mark.once
def test_views_are_calibrated_too():
    loss = GeneralizedJensenShannon(0.3, 2, logit_bias="auto", num_classes=50)
    assert average_error(loss, 50) == pytest.approx(
        average_error(GeneralizedJensenShannon(0.3, 2), 10), rel=1e-2
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="has no AutoGraph"
)
def test_autograph_has_nothing_to_warn_of(caplog):
    """A custom step is traced with everything an `"auto"` value needs."""
    import tensorflow as tf

    logits, labels = tf.zeros((2, 100)), tf.constant([1, 2])
    loss = JensenShannon(logit_bias="auto", from_logits=True)
    for each in (loss, SmallLoss(loss), GivenLabelLoss(loss)):
        step = tf.function(lambda y, z, loss=each: loss(y, z))
        with caplog.at_level("WARNING", logger="tensorflow"):
            assert float(step(labels, logits)) > 0
        assert not caplog.records
