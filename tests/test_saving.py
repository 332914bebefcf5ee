"""What is saved comes back the same."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
from helpers import build, catalogue, values

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, MAEStar

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


@catalogue
def test_config_holds_every_argument(name):
    loss = build(name, **ARGUMENTS)
    config = loss.get_config()
    assert config.items() >= ARGUMENTS.items()
    json.dumps(config)
    again = type(loss).from_config(config)
    assert again.get_config() == config
    assert again.logit_bias == loss.logit_bias


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


def test_a_subclass_keeps_the_hyperparameters_of_its_parent():
    again = Scaled.from_config(Scaled(scale=2.0, q=0.3).get_config())
    assert (again.q, again.scale) == (0.3, 2.0)
    with pytest.raises(ValueError, match=r'it has no "auto".*scale'):
        Scaled(scale="auto")
    assert GCE(q="auto", name="auto", num_classes=20).q < 0.7


@catalogue
def test_keras_serialisation(name):
    loss = build(name, num_classes=20)
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == f"keras_noisy>{type(loss).__name__}"
    again = keras.losses.deserialize(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(from_logits=True, logit_clip=1.0),
        MAE(ignore_class=-1),
        MAEStar(num_classes=20),
        MAEStar(),
        GCE(q="auto"),
        GCE(q=0.3, dtype="float16", reduction="mean_with_sample_weight"),
    ],
    ids=lambda loss: loss.name,
)
def test_model_round_trip(tmp_path, loss):
    outputs = keras.layers.Dense(20, activation="softmax")
    model = keras.Sequential([keras.Input((4,)), outputs])
    if loss.from_logits:
        outputs.activation = keras.activations.linear
    model.compile("sgd", loss)
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    y = np.arange(32) % 20
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.loss) is type(loss)
    assert again.loss.get_config() == loss.get_config()
    np.testing.assert_allclose(
        again.evaluate(x, y, verbose=0),
        model.evaluate(x, y, verbose=0),
        rtol=1e-6,
    )
    again.fit(x, y, verbose=0)  # The optimizer's state came with it.


@catalogue
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_are_equal(name, duplicate):
    loss = build(name, ignore_class=-1)
    p = np.full((2, 3), 1 / 3, "float32")
    np.testing.assert_array_equal(
        values(duplicate(loss), [0, 1], p), values(loss, [0, 1], p)
    )


@catalogue
def test_pickle(name):
    loss = build(name, ignore_class=-1)
    again = pickle.loads(pickle.dumps(loss))
    assert again.get_config() == loss.get_config()


def test_every_loss_is_public_and_registered():
    for name in keras_noisy.losses.__all__:
        assert getattr(keras_noisy, name) is getattr(keras_noisy.losses, name)
        if name != "RobustLoss":
            registered = keras.saving.get_registered_object(
                f"keras_noisy>{name}"
            )
            assert registered is getattr(keras_noisy, name)
