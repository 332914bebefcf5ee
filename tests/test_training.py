"""The losses in `fit`, `evaluate` and `predict`, on the backend in use."""

import keras
import numpy as np
import pytest
from helpers import CATALOGUE, KINDS, build, heads, number, values
from keras import ops
from reference import cross_entropy, loss_values

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, RobustLoss, losses
from keras_noisy.losses.presets import PRESETS


def clusters(num_classes, per_class=8, features=16, spread=0.1):
    """Points around one center per class."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(num_classes, features))
    labels = np.repeat(np.arange(num_classes), per_class)
    x = centers[labels] + spread * rng.normal(size=(len(labels), features))
    order = rng.permutation(len(labels))
    return x[order].astype("float32"), labels[order]


def classifier(num_classes, activation="softmax", features=16, units=64):
    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(num_classes, activation=activation),
        ]
    )


@pytest.mark.parametrize(
    ("names", "formats"),
    [
        pytest.param(KINDS, ("labels", "one-hot"), id="kinds"),
        pytest.param(
            CATALOGUE, ("labels", "one-hot"), id="all", marks=pytest.mark.once
        ),
        pytest.param(
            CATALOGUE, ("labels",), id="labels", marks=pytest.mark.slow
        ),
        pytest.param(
            CATALOGUE, ("one-hot",), id="one-hot", marks=pytest.mark.slow
        ),
    ],
)
def test_fit_evaluate_predict(names, formats):
    """The heads take turns with the formats, in `evaluate` in reverse."""
    x, labels = clusters(5, per_class=24)
    one_hot = keras.utils.to_categorical(labels, 5)
    y_of = {"labels": labels, "one-hot": one_hot}
    model, losses = heads(
        names,
        5,
        lambda inputs: keras.layers.Dense(5)(inputs),
        features=16,
        from_logits=True,
        logit_bias=2.0,
    )
    model.compile(keras.optimizers.Adam(0.03), losses)
    turns = range(len(losses))
    y = [y_of[formats[i % len(formats)]] for i in turns]
    # No batch of another size, which would be compiled too.
    model.fit(x, y, epochs=12, batch_size=15, verbose=0)
    y = [y_of[formats[-1 - i % len(formats)]] for i in turns]
    results = model.evaluate(x, y, batch_size=len(x), verbose=0)
    outputs = model.predict(x, verbose=0)
    # The first result is the sum.
    heads_of = zip(names, losses, y, results[1:], outputs, strict=True)
    for name, loss, y_of_head, value, logits in heads_of:
        assert value == pytest.approx(
            number(loss(y_of_head, logits)), rel=1e-5, abs=1e-6
        ), name
        # Truncated GCE ignores samples that start below p = 0.5.
        least = 0.3 if name == "TruncatedGCE" else 0.95
        assert np.mean(np.argmax(logits, axis=-1) == labels) > least, name


@pytest.mark.once
def test_every_published_pair_is_trained_by_its_name():
    x, labels = clusters(5, per_class=24)
    inputs = keras.Input((16,))
    outputs = [keras.layers.Dense(5)(inputs) for _ in PRESETS]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.03),
        [losses.get(name, from_logits=True) for name in PRESETS],
    )
    model.fit(x, [labels] * len(PRESETS), epochs=12, batch_size=15, verbose=0)
    for name, z in zip(PRESETS, model.predict(x, verbose=0), strict=True):
        assert np.mean(np.argmax(z, axis=-1) == labels) > 0.95, name


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="only TensorFlow has tensors whose number of classes is unknown",
)
@pytest.mark.parametrize(
    "names",
    [
        (*KINDS, "NMAE", "NRCE", "ActivePassive of p"),
        pytest.param(CATALOGUE, marks=pytest.mark.slow),
    ],
    ids=["kinds", "all"],
)
def test_a_number_of_classes_that_the_graph_does_not_know(names):
    import tensorflow as tf

    z = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    labels = np.arange(4)
    signature = [
        tf.TensorSpec([None], "int64"),
        tf.TensorSpec([None, None], "float32"),
    ]
    for name in names:
        loss = build(name, 5, from_logits=True)
        call = tf.function(loss.__call__, input_signature=signature)
        if name in ("NMAE", "NRCE", "ActivePassive of p"):
            with pytest.raises(ValueError, match="pass `num_classes`"):
                call(labels, z)
        else:
            assert number(call(labels, z)) == pytest.approx(
                number(loss(labels, z)), rel=1e-5
            ), name


@pytest.mark.once
def test_one_argument_learns_a_hundred_classes_where_mae_does_not():
    """An unchanged convolutional model that ends in softmax."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(100, 8, 8, 1))
    labels = rng.integers(100, size=3008)
    x = patterns[labels] + 0.3 * rng.normal(size=(3008, 8, 8, 1))
    accuracies = {}
    for loss in (MAEStar(num_classes=100), MAE()):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(16, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(100, activation="softmax"),
            ]
        )
        model.compile(
            keras.optimizers.SGD(0.02, momentum=0.9), loss, metrics=["accuracy"]
        )
        model.fit(x, labels, epochs=4, batch_size=32, verbose=0)
        accuracies[loss.name] = model.evaluate(x, labels, verbose=0)[1]
    star, plain = accuracies.values()
    assert star > 0.9
    assert plain < 0.5 * star


@pytest.mark.once
def test_wrong_labels_are_left_alone():
    """On 40 % wrong labels cross-entropy memorizes, MAE* does not."""
    x, labels = clusters(20, per_class=30, features=32, spread=0.4)
    rng = np.random.default_rng(1)
    wrong = rng.random(len(labels)) < 0.4
    shifted = (labels + rng.integers(1, 20, len(labels))) % 20
    noisy = np.where(wrong, shifted, labels)
    accuracy, memorized = {}, {}
    for loss in (MAEStar(num_classes=20), CrossEntropy()):
        keras.utils.set_random_seed(0)
        model = classifier(20, features=32, units=256)
        model.compile(keras.optimizers.Adam(0.003), loss)
        model.fit(x, noisy, epochs=40, batch_size=60, verbose=0)
        predicted = np.argmax(model.predict(x, verbose=0), axis=-1)
        accuracy[type(loss)] = np.mean(predicted == labels)
        memorized[type(loss)] = np.mean(predicted[wrong] == noisy[wrong])
    assert accuracy[MAEStar] > 0.9 > 0.75 > accuracy[CrossEntropy]
    assert memorized[MAEStar] < 0.2 < 0.7 < memorized[CrossEntropy]


def test_segmentation_with_ignored_pixels_and_class_axis_of_three_dimensions():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 6, 6, 3)).astype("float32")
    y = np.argmax(x, axis=-1)
    y[:, 0] = 255
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(3, 1, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1), GCE(ignore_class=255))
    model.fit(x, y, epochs=60, verbose=0)
    correct = np.argmax(model.predict(x, verbose=0), axis=-1) == y
    assert correct[:, 1:].mean() > 0.95


def test_sequences_with_a_keras_mask():
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 0], [1, 0, 0, 0, 0]])
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Embedding(6, 4, mask_zero=True),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", MAE())
    value = model.evaluate(tokens, labels, verbose=0)
    predictions = model.predict(tokens, verbose=0)
    per_step = values(MAE(), labels, predictions)
    assert value == pytest.approx(per_step[tokens > 0].mean(), rel=1e-5)


def test_sample_weight_in_fit():
    x, labels = clusters(5)
    weights = np.random.default_rng(0).uniform(size=len(x)).astype("float32")
    model = classifier(5)
    model.compile("sgd", MAE())
    value = model.evaluate(
        x, labels, sample_weight=weights, batch_size=len(x), verbose=0
    )
    per_sample = values(MAE(), labels, model.predict(x, verbose=0))
    assert value == pytest.approx((weights * per_sample).mean(), rel=1e-5)


class Steep(RobustLoss):
    """A user's loss, whose automatic bias needs a derivative."""

    def formula(self, log_p):
        return 1 - ops.exp(3 * log_p)


@pytest.mark.parametrize(
    "loss",
    [
        MAEStar(),
        pytest.param(GCE(q="auto"), marks=pytest.mark.once),
        Steep(logit_bias="auto"),
    ],
    ids=lambda loss: loss.name,
)
def test_automatic_arguments_are_found_while_a_step_is_compiled(loss):
    x, labels = clusters(30)
    model = classifier(30)
    model.compile("sgd", loss)
    model.fit(x, labels, batch_size=40, verbose=0)
    given = type(loss).from_config({**loss.get_config(), "num_classes": 30})
    predictions = model.predict(x, verbose=0)
    assert model.evaluate(x, labels, batch_size=len(x), verbose=0) == (
        pytest.approx(number(given(labels, predictions)), rel=1e-5)
    )


def test_a_wrong_label_leaves_the_weights_finite_and_shows_in_the_loss():
    x, labels = clusters(5)
    model = classifier(5)
    loss = MAE()
    model.compile("sgd", loss)
    model.fit(x, labels, batch_size=40, verbose=0)
    labels[0] = -1
    if keras.backend.backend() == "torch":
        # Its training step is not compiled, so that it may have seen a batch.
        assert loss(labels[1:], model.predict(x[1:], verbose=0)) > 0
    history = model.fit(x, labels, epochs=2, batch_size=8, verbose=0)
    assert np.all(np.isnan(history.history["loss"]))
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


def test_fit_tells_that_logits_need_from_logits():
    """At once if the step is not compiled, else by a NaN loss."""
    x, labels = clusters(5)
    model = classifier(5, activation=None)
    model.compile("sgd", MAE())
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="from_logits=True"):
            model.fit(x, labels, batch_size=40, verbose=0)
    else:
        history = model.fit(x, labels, batch_size=40, verbose=0)
        assert np.isnan(history.history["loss"][0])
    model.compile("sgd", MAE(), run_eagerly=True)
    if keras.backend.backend() != "jax":
        with pytest.raises(ValueError, match="from_logits=True"):
            model.fit(x, labels, batch_size=40, verbose=0)


def test_softmax_outputs_taken_for_logits_mean_the_same_everywhere():
    """TensorFlow would silently use the inputs of the softmax instead."""
    x, labels = clusters(5)
    model = classifier(5)
    loss = CrossEntropy(from_logits=True)
    model.compile("sgd", loss)
    if keras.backend.backend() == "torch":
        with pytest.warns(UserWarning, match="from_logits=False"):
            value = model.evaluate(x, labels, batch_size=len(x), verbose=0)
    else:
        value = model.evaluate(x, labels, batch_size=len(x), verbose=0)
    targets = np.eye(5)[labels]
    predictions = model.predict(x, verbose=0)
    exact = loss_values(cross_entropy, targets, predictions).mean()
    assert value == pytest.approx(exact, rel=1e-5)


def test_sequences_of_unknown_length():
    model = keras.Sequential(
        [
            keras.Input((None, 16)),
            keras.layers.Dense(30, activation="softmax"),
        ]
    )
    model.compile("sgd", MAEStar())
    x, labels = clusters(30)
    x, labels = x.reshape(24, 10, 16), labels.reshape(24, 10)
    history = model.fit(x, labels, batch_size=40, verbose=0)
    soft = keras.utils.to_categorical(labels, 30)
    assert model.evaluate(x, soft, verbose=0) == pytest.approx(
        model.evaluate(x, labels[..., None], verbose=0), rel=1e-5
    )
    assert np.isfinite(history.history["loss"][0])


def test_two_outputs_with_different_class_counts():
    inputs = keras.Input((16,))
    outputs = [
        keras.layers.Dense(20, activation="softmax", name="many")(inputs),
        keras.layers.Dense(3, activation="softmax", name="few")(inputs),
    ]
    model = keras.Model(inputs, outputs)
    loss = MAEStar()
    model.compile("sgd", loss=[loss, loss])
    x, labels = clusters(20)
    history = model.fit(x, [labels, labels % 3], verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_gradient_accumulation_and_compiled_steps():
    x, labels = clusters(5)
    model = classifier(5)
    model.compile(
        keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
        MAEStar(),
        jit_compile=keras.backend.backend() != "torch",
    )
    history = model.fit(x, labels, batch_size=40, epochs=2, verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
