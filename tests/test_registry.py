"""Losses by name, and the published pairs."""

import keras
import numpy as np
import pytest
import reference
from helpers import values

from keras_noisy import GCE, MAEStar, losses
from keras_noisy.losses.presets import DATA_SETS, PRESETS

pytestmark = pytest.mark.once

#: The table of the papers again: (alpha, beta, hyperparameters).
PUBLISHED = {
    "NCE+RCE": {
        "mnist": (1, 10),
        "cifar10": (1, 1),
        "cifar100": (10, 0.1),
        "webvision": (50, 0.1),
    },
    "NCE+MAE": {
        "mnist": (1, 10),
        "cifar10": (1, 1),
        "cifar100": (10, 1),
        "webvision": (50, 1),
    },
    "NFL+RCE": {
        "mnist": (1, 10),
        "cifar10": (1, 1),
        "cifar100": (10, 0.1),
        "webvision": (50, 0.1),
    },
    "NFL+MAE": {
        "mnist": (1, 10),
        "cifar10": (1, 1),
        "cifar100": (10, 1),
        "webvision": (50, 1),
    },
    "NCE+AGCE": {
        "mnist": (0, 1, {"a": 4, "q": 0.2}),
        "cifar10": (1, 4, {"a": 6, "q": 1.5}),
        "cifar100": (10, 0.1, {"a": 1.8, "q": 3}),
        "webvision": (50, 0.1, {"a": 2.5, "q": 3}),
    },
    "NCE+AUL": {
        "mnist": (0, 1, {"a": 3, "q": 0.1}),
        "cifar10": (1, 4, {"a": 6.3, "q": 1.5}),
        "cifar100": (10, 0.015, {"a": 6, "q": 3}),
    },
    "NCE+AEL": {
        "mnist": (0, 1, {"a": 3.5}),
        "cifar10": (1, 4, {"a": 5}),
        "cifar100": (10, 0.1, {"a": 1.5}),
    },
    "ANL-CE": {
        "mnist": (1, 1),
        "cifar10": (5, 5),
        "cifar100": (10, 1),
        "webvision": (20, 1),
    },
    "ANL-FL": {
        "mnist": (1, 1),
        "cifar10": (5, 5),
        "cifar100": (10, 1),
        "webvision": (20, 1),
    },
    "ECE+MAE": {
        "cifar10": (0.01, 5, {"m": 1e5}),
        "cifar100": (0.03, 1, {"m": 1e4}),
        "webvision": (0.015, 0.3, {"m": 1e3}),
    },
    "JAL-CE": {
        "cifar10": (1, 1, {"a": 30}),
        "cifar100": (5, 1, {"a": 20}),
        "webvision": (50, 1, {"a": 30}),
    },
}

#: Active, passive, and which of them takes the hyperparameters.
PARTS = {
    "NCE+RCE": (reference.nce, reference.rce, None),
    "NCE+MAE": (reference.nce, reference.unhinged, None),
    "NFL+RCE": (reference.nfl, reference.rce, None),
    "NFL+MAE": (reference.nfl, reference.unhinged, None),
    "NCE+AGCE": (reference.nce, reference.agce, 1),
    "NCE+AUL": (reference.nce, reference.aul, 1),
    "NCE+AEL": (reference.nce, reference.ael, 1),
    "ANL-CE": (reference.nce, reference.nnce, None),
    "ANL-FL": (reference.nfl, reference.nnfl, None),
    "ECE+MAE": (reference.epsilon_softmax_ce, reference.mae, 0),
    "JAL-CE": (reference.nce, reference.amse, 1),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_pairs_are_those_of_the_papers(name):
    rng = np.random.default_rng(0)
    labels = rng.integers(6, size=5)
    targets = reference.one_hot(labels, 6)
    z = 2 * rng.normal(size=(5, 6))
    assert PRESETS[name].weights.keys() == PUBLISHED[name].keys()
    for data_set, (alpha, beta, *hyperparameters) in PUBLISHED[name].items():
        *functions, with_hyperparameters = PARTS[name]
        parts = [(function, {}) for function in functions]
        if hyperparameters:
            function = functions[with_hyperparameters]
            parts[with_hyperparameters] = (function, hyperparameters[0])
        loss = losses.get(name, data_set=data_set, from_logits=True)
        assert (loss.alpha, loss.beta) == (alpha, beta)
        np.testing.assert_allclose(
            values(loss, labels, z.astype("float32")),
            reference.active_passive(targets, z, *parts, alpha, beta),
            rtol=1e-5,
            atol=2e-5,
        )


def test_every_pair_is_in_the_table():
    assert set(PRESETS) == set(PUBLISHED) == set(PARTS)


@pytest.mark.parametrize(
    ("num_classes", "data_set"),
    [
        (None, "cifar10"),
        (2, "cifar10"),
        (10, "cifar10"),
        (50, "webvision"),
        (100, "cifar100"),
        (1000, "cifar100"),
    ],
)
def test_a_pair_takes_the_data_set_of_the_nearest_class_count(
    num_classes, data_set
):
    given = losses.get("NCE+RCE", data_set=data_set)
    found = losses.get("NCE+RCE", num_classes=num_classes)
    assert (found.alpha, found.beta) == (given.alpha, given.beta)
    assert set(DATA_SETS) == {"mnist", "cifar10", "cifar100", "webvision"}


def test_arguments_of_a_pair_go_before_the_published_ones():
    pair = losses.get("nce+rce", alpha=3.0, ignore_class=-1, name="mine")
    assert (pair.alpha, pair.beta, pair.name) == (3.0, 1.0, "mine")
    assert pair.ignore_class == -1
    with pytest.raises(ValueError, match=r"data_set='webvision'"):
        losses.get("NCE+AUL", data_set="webvision")


def test_names_know_case_underscores_and_stars():
    for name in ("gce", "GCE", "G_C_E"):
        assert type(losses.get(name, q=0.5)) is GCE
    assert losses.get("mae_star", num_classes=20).logit_bias > 0
    assert type(losses.get("epsilon-softmax-ce")) is losses.EpsilonSoftmaxCE
    starred = losses.get("GCE*", num_classes=100)
    assert starred.get_config()["logit_bias"] == "auto"
    mae = losses.get("mae*", num_classes=100)
    assert mae.logit_bias == MAEStar(num_classes=100).logit_bias


def test_a_class_a_config_by_its_short_name_and_names_of_papers():
    assert losses.get(GCE, q=0.5).q == 0.5
    config = {"class_name": "GCE", "config": {"q": 0.5}}
    assert losses.get(config).q == 0.5
    for name in ("CE", "js", "GJS", "ECE", "peer"):
        assert isinstance(losses.get(name), losses.RobustLoss)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ELR", {}, r"ELR cannot be built from {}.*num_samples"),
        ("forward", {}, r"ForwardCorrection cannot.*'T'"),
        (
            "GCE",
            {"gamma": 1.0},
            r"GCE cannot be built.*has no argument `gamma`.*one of q,",
        ),
        (
            "NCE+AGCE",
            {"a": 1},
            r"NCE\+AGCE cannot be built.*no argument `a`.*one of active,",
        ),
    ],
)
def test_missing_and_unknown_arguments_are_named(name, arguments, message):
    with pytest.raises(TypeError, match=message):
        losses.get(name, **arguments)


@pytest.mark.parametrize(("build", "most"), [(losses.MAE, 0), (losses.GCE, 1)])
def test_arguments_without_a_name_are_counted(build, most):
    message = f"at most {most} arguments without a name.*Received: 2.*num_cl"
    with pytest.raises(TypeError, match=message):
        build(0.5, 10)


def test_a_star_that_no_bias_fulfils_is_an_error_at_once():
    with pytest.raises(ValueError, match="No logit bias"):
        losses.get("NCE*", num_classes=100)


def test_every_name_is_found():
    needs = {
        "ForwardCorrection": {"T": np.eye(3)},
        "BackwardCorrection": {"T": np.eye(3)},
        "ConfidenceCorrection": {"T": np.eye(3)},
        "LDRKL": {"from_logits": True},
        "ActivePassive": {"active": losses.NCE(), "passive": losses.MAE()},
        "ELR": {"num_samples": 9},
        "Symmetrized": {"loss": losses.GCE()},
        "SELC": {"num_samples": 9},
        "SOP": {"num_samples": 9},
    }
    names = losses.names()
    assert len(names) == len(set(names)) >= 45
    for name in names:
        loss = losses.get(name, **needs.get(name, {}))
        assert isinstance(loss, losses.RobustLoss)
        assert type(loss).__name__ == name or loss.name == name
        config = keras.losses.serialize(loss)
        assert losses.get(config).get_config() == loss.get_config()
        assert losses.get(loss) is loss


@pytest.mark.parametrize(
    ("identifier", "arguments", "message"),
    [
        ("gcee", {}, r"no loss 'gcee'\. Did you mean 'GCE'\?.*AEL"),
        ("CGE", {}, r"no loss 'CGE'\. Did you mean 'GCE'\?"),
        ("nothing_like_it", {}, r"Expected one of \['AEL'"),
        (3, {}, "identifier=3"),
        (None, {}, "identifier=None"),
        (keras.losses.MeanSquaredError(), {}, "a loss of keras_noisy"),
        (GCE(), {"q": 0.5}, "cannot change a loss that exists"),
        ("gce", {"q": 2}, "`q`"),
        ("small_loss", {}, r"`keras_noisy\.losses\.SmallLoss\(\.\.\.\)`"),
        ("ogc", {"base": ["gce"]}, "`base`"),
    ],
)
def test_what_is_no_loss_is_named(identifier, arguments, message):
    with pytest.raises(ValueError, match=message):
        losses.get(identifier, **arguments)
