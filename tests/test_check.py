"""`keras_noisy.check`: a mistake gives the same message everywhere."""

import keras
import numpy as np
import pytest

import keras_noisy
from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, losses
from keras_noisy.calibration import calibrate

ROWS, CLASSES = 12, 6
X = np.random.default_rng(0).normal(size=(ROWS, 5)).astype("float32")
Y = np.arange(ROWS) % CLASSES


def model(activation="softmax", outputs=CLASSES):
    layer = keras.layers.Dense(outputs, activation=activation)
    return keras.Sequential([keras.Input((5,)), layer])


ONE_HOT = np.eye(CLASSES)[Y]
MISTAKES = {
    "sigmoid": (model("sigmoid"), MAE(), Y, "outputs of a sigmoid"),
    "relu": (model("relu"), GCE(), Y, "outputs of a ReLU"),
    "logits": (model(None), MAEStar(), Y, "If the model returns logits"),
    "softmax": (
        model(),
        CrossEntropy(from_logits=True),
        Y,
        r"every row of `y_pred` is a probability distribution",
    ),
    "from 1": (model(), GCE(), Y + 1, "need `labels - 1`"),
    "mask": (model(outputs=2), GCE(), 255 * (Y % 2), "need `labels // 255`"),
    "missing": (
        model(),
        GCE(),
        np.where(Y == 3, -(2**63), Y),
        "missing label that is NaN, or was cast.*ignore_class=-1",
    ),
    "unknown": (model(), MAE(), np.where(Y == 3, 77, Y), "y_true=77"),
    "several": (
        model(),
        losses.NCE(),
        ONE_HOT + ONE_HOT[::-1],
        "multi-label targets",
    ),
    "counts": (model(), MAE(), 3 * ONE_HOT + 1, "sums to 9. Divide each row"),
    "binary": (model("sigmoid", 1), MAE(), Y, "labels 0 and 1.*y_true=2"),
    "logit": (model(None, 1), MAE(), Y % 2, "the model returns logits"),
    "text": (model(), MAE(), Y.astype(str), r"np\.unique\(labels"),
    "rows": (model(), MAE(), np.zeros((ROWS, 2)), "integer labels of shape"),
    "not connected": (
        model(),
        MAEStar(num_classes=CLASSES, logit_bias=1.0, fade="margin"),
        Y,
        r"`MAEStar` has `fade=`.*`outputs = loss\.connect\(outputs\)`",
    ),
    "no memory": (
        model(),
        losses.ELR(ROWS),
        losses.with_index(Y),
        "`ELR` has a memory, but",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name):
    network, loss, y, message = MISTAKES[name]
    with pytest.raises(ValueError, match=message):
        keras_noisy.check(network, loss, (X, y))


@pytest.mark.parametrize("y", [Y, Y[:, None], ONE_HOT, 0.97 * ONE_HOT])
def test_what_is_right_passes_and_nothing_changes(y):
    network = model()
    before = network.get_weights()
    loss = GCE()
    assert keras_noisy.check(network, loss, (X, y)) is None
    keras_noisy.check(network, loss, (X, y, np.ones(ROWS)))
    keras_noisy.check(network, losses.GivenLabelLoss(loss), (X, y))
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_is_the_same_after_a_look_at_the_outputs():
    found = []
    for look in (False, True):
        keras.utils.set_random_seed(0)
        network = model()
        network.compile("sgd", GCE())
        if look:  # On PyTorch, Keras draws to predict.
            keras_noisy.check(network, GCE(), (X, Y))
            calibrate(MAEStar(), network, X)
        network.fit(X, Y, batch_size=4, verbose=0)
        found.append(network.get_weights()[0])
    np.testing.assert_array_equal(*found)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X, Y + 1


@pytest.mark.once
def test_the_first_batch_of_a_data_set():
    for data in (Batches(), iter([(X, Y + 1)]), [X, Y + 1]):
        with pytest.raises(ValueError, match="labels - 1"):
            keras_noisy.check(model(), MAE(), data)
    for nothing in (X, (X,), iter([]), 5):
        with pytest.raises(ValueError, match=r"`batch`. Expected .*\(x, y\)"):
            keras_noisy.check(model(), MAE(), nothing)


@pytest.mark.once
def test_several_outputs():
    inputs = keras.Input((5,))
    heads = {"many": CLASSES, "few": 2}
    outputs = {
        name: keras.layers.Dense(count, activation="softmax", name=name)(inputs)
        for name, count in heads.items()
    }
    right, wrong = {"many": Y, "few": Y % 2}, {"many": Y, "few": Y}
    as_list = keras.Model(inputs, list(outputs.values()))
    as_dict = keras.Model(inputs, outputs)
    loss = {"many": MAE(), "few": CrossEntropy()}
    of_few = {"few": CrossEntropy()}
    alone = keras.Model(inputs, outputs["few"])
    for network, of, y, bad in (
        (as_dict, of_few, right, wrong),
        (as_dict, of_few, {"few": Y % 2}, {"few": Y}),
        (as_list, MAE(), right, wrong),
        (alone, [MAE()], Y % 2, Y),
        (alone, [MAE()], [Y % 2], [Y]),
        (alone, MAE(), [*(Y % 2)], [*Y]),
        (alone, of_few, [*(Y % 2)[:, None]], [*Y[:, None]]),
        (as_dict, loss, right, wrong),
        (as_list, loss, right, wrong),
        (as_list, [*loss.values()], [*right.values()], [*wrong.values()]),
        (as_list, MAE(), [*right.values()], [*wrong.values()]),
    ):
        keras_noisy.check(network, of, (X, y))
        with pytest.raises(ValueError, match=r"in \[0, 2\).*y_true=2"):
            keras_noisy.check(network, of, (X, bad))
    # Keras losses, and outputs without a loss, are not checked.
    keras_noisy.check(as_list, {"many": "mse"}, (X, wrong))
    with pytest.raises(ValueError, match=r"keys of \['many', 'few'\]"):
        keras_noisy.check(as_list, {"man": MAE()}, (X, wrong))


def test_a_loss_with_memory():
    loss = losses.ELR(ROWS)
    inputs = keras.Input((5,))
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(inputs)
    network = keras.Model(inputs, loss.connect(outputs))
    pairs = losses.with_index(Y)
    keras_noisy.check(network, loss, (X, pairs))
    with pytest.raises(ValueError, match="needs the index"):
        keras_noisy.check(network, loss, (X, Y))
    with pytest.raises(ValueError, match=r"`num_samples` of ELR.*y_true=12"):
        keras_noisy.check(network, loss, (X, pairs + np.array([0, 1])))
    wide = pairs - np.array([0, 2**40])
    with pytest.raises(ValueError, match=r"`num_samples` of ELR"):
        loss(wide, network(X, training=True))


@pytest.mark.parametrize("mistake", ["sigmoid", "relu", "logits", "from 1"])
def test_fit_does_not_train_on_it_in_silence(mistake):
    """In compiled steps the loss is NaN, elsewhere there is an error."""
    network, loss, y, message = MISTAKES[mistake]
    network.compile("sgd", type(loss)())
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match=message):
            network.fit(X, y, verbose=0)
    else:
        history = network.fit(X, y, verbose=0)
        assert np.isnan(history.history["loss"][0])


class ReadsItsLoss(keras.Sequential):
    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        float(loss.detach())  # Raises while there are no values.
        return loss


def test_a_loss_that_is_not_connected():
    elr, small = losses.ELR(ROWS), losses.SmallLoss(GCE(), "mixture")
    network = model()
    for loss in (MAEStar(logit_bias=1.0, fade="margin"), elr, small):
        network.compile("sgd", loss)
        with pytest.raises(ValueError, match="does not call its layer"):
            network.fit(X, losses.with_index(Y) if loss is elr else Y)


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="others do not compute there"
)
@pytest.mark.parametrize(
    ("activation", "loss", "y"),
    [
        ("softmax", GCE, Y),
        ("softmax", GCE, ONE_HOT),
        ("sigmoid", lambda: losses.Binary(GCE()), ONE_HOT),
    ],
)
def test_ones_of_keras_are_no_first_batch(activation, loss, y):
    """Keras repeats a step that fails without values, with values."""
    layer = keras.layers.Dense(CLASSES, activation=activation)
    for labels in (y, y + CLASSES):
        network = ReadsItsLoss([keras.Input((5,)), layer])
        network.compile("sgd", loss())
        if labels is y:
            network.fit(X, labels, verbose=0)
            continue
        with pytest.raises(ValueError, match="`y_true`"):
            network.fit(X, labels, verbose=0)
