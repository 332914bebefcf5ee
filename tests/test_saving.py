"""Saved models load unchanged."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from helpers import CATALOGUE, KINDS, build, catalogue, heads, number, values
from keras import ops

import keras_noisy
from keras_noisy import GCE, MAEStar
from keras_noisy.layers import GaussianCloud
from keras_noisy.losses import ForwardCorrection, PeerLoss

ARGUMENTS = {
    "num_classes": 20,
    "from_logits": True,
    "logit_bias": "auto",
    "logit_clip": 2.5,
    "ignore_class": -1,
    "reduction": "sum",
    "name": "my_loss",
    "dtype": "bfloat16",
}

#: Losses with arguments that the catalogue does not use.
OTHERS = [
    MAEStar(from_logits=True),
    GCE(
        q="auto",
        from_logits=True,
        dtype="float16",
        reduction="mean_with_sample_weight",
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(
    ("made", "name"),
    [
        (PeerLoss(prior=[0.5, 0.3, 0.2]), "prior"),
        (ForwardCorrection(np.eye(3)), "T"),
        (GCE(logit_adjustment=[3, 2, 1]), "logit_adjustment"),
        (GaussianCloud([3, 2, 1]), "class_counts"),
    ],
)
def test_a_config_that_is_changed_changes_no_object(made, name):
    before = str(made.get_config()[name])
    made.get_config()[name][0] = 0
    assert str(made.get_config()[name]) == before


@catalogue
@pytest.mark.once
def test_config_holds_every_argument(name):
    arguments = dict(ARGUMENTS)
    if CATALOGUE[name].of_class_count(20):
        arguments["logit_bias"] = 2.0  # "auto" needs several class counts.
    loss = build(name, 20, **arguments)
    config = loss.get_config()
    assert all(config[name] == value for name, value in arguments.items())
    json.dumps(config)
    again = type(loss).from_config(config)
    assert again.get_config() == config


@pytest.mark.once
def test_auto_stays_auto():
    loss = GCE(q="auto", num_classes=100)
    assert loss.q == pytest.approx(0.37875, abs=1e-6)
    assert loss.get_config()["q"] == "auto"
    assert MAEStar(num_classes=1000).get_config()["logit_bias"] == "auto"
    assert (
        MAEStar(num_classes=1000, logit_bias=2).get_config()["logit_bias"] == 2
    )


class Scaled(GCE):
    """A subclass that adds a hyperparameter to those of its parent."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.set_hyperparameters(scale=scale)


@pytest.mark.once
def test_a_subclass_keeps_the_hyperparameters_of_its_parent():
    again = Scaled.from_config(Scaled(scale=2.0, q=0.3).get_config())
    assert (again.q, again.scale) == (0.3, 2.0)
    with pytest.raises(ValueError, match=r'it has no "auto".*scale'):
        Scaled(scale="auto")
    assert GCE(q="auto", name="auto", num_classes=20).q < 0.7


@catalogue
def test_keras_serialization(name):
    loss = build(name, 20, num_classes=20, from_logits=True)
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == f"keras_noisy>{type(loss).__name__}"
    again = keras.losses.deserialize(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    "names",
    [KINDS, pytest.param(tuple(CATALOGUE), marks=pytest.mark.once)],
    ids=["kinds", "all"],
)
def test_model_round_trip(names, tmp_path):
    """All losses in one model, and some more of their arguments."""
    model, losses = heads(
        names,
        20,
        lambda inputs: keras.layers.Dense(20)(inputs),
        from_logits=True,
        logit_clip=3.0,
        ignore_class=-1,
    )
    outputs = [*model.outputs, *model.outputs[-2:]]
    model = keras.Model(model.inputs[0], outputs)
    losses += OTHERS
    model.compile("sgd", losses)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(32, 8)).astype("float32")
    y = np.arange(32) % 20
    for ours, theirs, z, z_again in zip(
        losses, again.loss, model(x), again(x), strict=True
    ):
        assert type(ours) is type(theirs)
        assert ours.get_config() == theirs.get_config()
        np.testing.assert_allclose(
            number(theirs(y, z_again)), number(ours(y, z)), rtol=1e-6
        )


def test_a_trained_model_comes_back_with_its_optimizer(tmp_path):
    """Compiled training continues where it was."""
    model, losses = heads(
        ["MAEStar", "PeerLoss", "ActivePassive"],
        20,
        lambda inputs: keras.layers.Dense(20)(inputs),
        from_logits=True,
        ignore_class=-1,
    )
    outputs = [*model.outputs, *model.outputs[-2:]]
    model = keras.Model(model.inputs[0], outputs)
    losses += OTHERS
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), losses)
    x = np.random.default_rng(0).normal(size=(32, 8)).astype("float32")
    y = [np.arange(32) % 20] * len(losses)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.evaluate(x, y, verbose=0),
        model.evaluate(x, y, verbose=0),
        rtol=1e-6,
    )
    for each in (model, again):
        each.fit(x, y, shuffle=False, verbose=0)
    for ours, theirs in zip(
        model.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(theirs),
            ops.convert_to_numpy(ours),
            rtol=1e-5,
            atol=1e-6,
        )


@catalogue
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.once
def test_copies_are_equal(name, duplicate):
    loss = build(name, 3, from_logits=True, ignore_class=-1)
    p = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    np.testing.assert_array_equal(
        values(duplicate(loss), [0, 1], p), values(loss, [0, 1], p)
    )


@catalogue
@pytest.mark.once
def test_pickle(name):
    loss = build(name, 3, from_logits=True, ignore_class=-1)
    again = pickle.loads(pickle.dumps(loss))
    assert again.get_config() == loss.get_config()


@pytest.mark.once
def test_every_loss_is_in_the_catalogue_and_registered():
    tested = {entry.loss_class for entry in CATALOGUE.values()}
    for name in keras_noisy.losses.names():
        if "+" not in name and "-" not in name:
            loss = getattr(keras_noisy.losses, name)
            assert keras.saving.get_registered_name(loss) == (
                f"keras_noisy>{name}"
            )
            # Those with a state have a test file of their own.
            assert loss in tested or loss.has_state, name
