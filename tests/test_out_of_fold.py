"""Out-of-fold predictions, by models that never saw the label."""

import keras
import numpy as np
import pytest
import real_data

from keras_noisy import noise
from keras_noisy.losses import GCE, Binary
from keras_noisy.quality import KerasClassifier, PredictionQuality


def small_model(activation="softmax"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=activation is None
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


@pytest.fixture(scope="module")
def fashion():
    images, clean = real_data.fashion_mnist("t10k")
    matrix = noise.asymmetric("fashion_mnist", 0.3)
    given = noise.corrupt(clean[:4_000], matrix, "exact").labels
    return images[:4_000] / np.float32(255), given, matrix


@pytest.mark.once
def test_out_of_fold_predictions_estimate_the_noise_of_real_images(fashion):
    x, given, matrix = fashion
    predicted = noise.out_of_fold_probabilities(
        small_model, x, given, 3, epochs=4, batch_size=128, verbose=0
    )
    assert predicted.shape == (4_000, 10) and predicted.dtype == "float32"
    # No network has seen its labels: no better than the noise allows.
    assert 0.55 < np.mean(predicted.argmax(axis=1) == given) < 0.85
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    found = noise.estimate_transition(predicted, given, "cleanlab")
    assert np.abs(found - matrix).mean() < 0.05
    # The largest wrong entry of a class that flips is the right one.
    for true in (9, 2, 4):
        row = found[true].copy()
        row[true] = 0
        assert row.argmax() == np.argsort(matrix[true])[-2]


@pytest.mark.once
def test_logits_are_turned_into_probabilities(fashion):
    x, given, _ = fashion
    both = [
        noise.out_of_fold_probabilities(
            lambda a=activation: small_model(a),
            x[:300],
            given[:300],
            2,
            from_logits=activation is None,
            verbose=0,
        )
        for activation in ("softmax", None)
    ]
    np.testing.assert_allclose(*both, atol=1e-4)
    with pytest.raises(ValueError, match="from_logits=True"):
        noise.out_of_fold_probabilities(
            lambda: small_model(None), x[:60], given[:60], 2, verbose=0
        )


class Frequencies:
    """A model that predicts the frequencies of the labels it was given."""

    def fit(self, x, y, epochs=1, **arguments):
        self.seen = y
        counts = np.bincount(y, minlength=10)[:10] + 1
        self.frequencies = counts / counts.sum()

    def predict(self, x, batch_size=None, verbose=0):
        return np.tile(self.frequencies, (len(x), 1))


ROWS = np.random.default_rng(0).random((60, 400))


def test_every_class_is_spread_over_the_folds(fashion):
    x, given, _ = fashion
    built = []

    def build_model():
        built.append(Frequencies())
        return built[-1]

    noise.out_of_fold_probabilities(build_model, x, given, 4, verbose=0)
    assert len(built) == 4
    counts = np.array([np.bincount(model.seen) for model in built])
    assert np.ptp(counts, axis=0).max() <= 1
    assert counts.sum() == 3 * len(x)


@pytest.mark.once
def test_a_group_is_whole_in_one_fold():
    y = np.arange(60) % 10
    groups = np.repeat([f"product {i}" for i in range(12)], 5)
    seen = []

    class Seen(Frequencies):
        def fit(self, x, y, **arguments):
            seen.append(x[:, 0])
            super().fit(x, y)

    x = np.arange(60.0)[:, None]
    for wanted in (groups, groups.astype(object), [*groups[5:], *5 * [None]]):
        noise.out_of_fold_probabilities(Seen, x, y, 3, groups=wanted, verbose=0)
    for left in map(np.isin, [x[:, 0]] * 3, seen):
        parts = left.reshape(12, 5)
        assert np.all(parts.any(axis=1) == parts.all(axis=1))
        assert left.sum() == 40
    sizes = np.repeat(np.arange(4), [30, 10, 10, 10])
    seen.clear()
    noise.out_of_fold_probabilities(Seen, x, y, 2, groups=sizes, verbose=0)
    assert [*map(len, seen)] == [30, 30]
    for wrong in (groups[1:], groups[:, None], np.arange(60) % 2):
        with pytest.raises(ValueError, match=r"`groups`.*60 entries.*folds=3"):
            noise.out_of_fold_probabilities(
                Seen, x, y, 3, groups=wrong, verbose=0
            )


def test_samples_and_labels_are_read_by_position():
    class Table:
        """Rows whose index differs from their order."""

        def __init__(self, rows):
            self.rows, self.shape = rows, rows.shape

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, key):
            return self.rows[np.arange(len(self.rows))[::-1][key]]

        def __array__(self, dtype=None, copy=None):
            return np.array(self.rows, dtype)

    class Sums(Frequencies):
        """A model that records its arguments."""

        def fit(self, x, y, **arguments):
            super().fit(x, y)
            self.sum = (x.sum(axis=1) * y).sum()

        def predict(self, x, batch_size=None, verbose=0):
            shift = x.sum(axis=1, keepdims=True) / self.sum
            rows = super().predict(x) + shift * np.arange(10)
            return rows / rows.sum(axis=1, keepdims=True)

    y = np.arange(60) % 10
    for arguments in ((Table(ROWS), Table(y)), (ROWS, y.astype(object))):
        found, wanted = (
            noise.out_of_fold_probabilities(Sums, *of, 2, verbose=0)
            for of in (arguments, (ROWS, y))
        )
        np.testing.assert_array_equal(found, wanted)
    wanted = 0.9 * np.eye(10)[y] + np.linspace(0, 0.02, 10)
    wanted /= wanted.sum(axis=1, keepdims=True)
    matrix = noise.estimate_transition(Table(wanted), Table(y), percentile=100)
    expected = noise.estimate_transition(wanted, y, percentile=100)
    np.testing.assert_array_equal(matrix, expected)
    assert noise.estimate_transition(np.eye(2), [False, True]).shape == (2, 2)


def test_bad_folds(fashion):
    x, given, _ = fashion
    for arguments, message in (
        ((x, given[:5]), r"5 labels.*\(4000, 28, 28\)"),
        (([x, x], given), r"one array.*\(2, 4000"),
        ((np.full(len(x), "text"), given), "Number texts"),
        (({"x": x}, given), r"`x`.*a column of a table"),
        ((x[:5], given[:5], 6), "number of samples, 5"),
        ((x, given, 1), "folds.*>= 2"),
        ((x, given + 0.5), "whole"),
        ((x, given + 2), r"more than 11.*10 outputs"),
        ((x, given + 1), r"more than 10.*10 outputs\. .*`labels - 1`"),
    ):
        with pytest.raises(ValueError, match=message):
            noise.out_of_fold_probabilities(small_model, *arguments)
    with pytest.raises(ValueError, match="Leave it out"):
        noise.out_of_fold_probabilities(
            small_model, x, given, sample_weight=given
        )
    with pytest.raises(ValueError, match=r"more than 12.*10 outputs"):
        noise.out_of_fold_probabilities(
            Frequencies, x, given % 2 + 11, 2, verbose=0
        )
    for outputs, message in (
        (lambda p: p[:, 0], r"shape=\(2000,\).*two with"),
        (lambda p: {"label": p}, r"single output.*dict"),
    ):

        class Other(Frequencies):
            def predict(self, x, batch_size, verbose, outputs=outputs):
                return outputs(super().predict(x, batch_size, verbose))

        with pytest.raises(ValueError, match=message):
            noise.out_of_fold_probabilities(
                Other, x, given, 2, verbose=0, from_logits=True
            )


def test_half_precision_predictions_are_probabilities(fashion):
    x, given, _ = fashion

    class Rounded(Frequencies):
        def predict(self, x, batch_size=None, verbose=0):
            return 1.006 * super().predict(x).astype("float16")

    found = noise.out_of_fold_probabilities(Rounded, x, given, 2, verbose=0)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.once
def test_a_model_that_another_fold_has_trained_is_refused():
    x, labels = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 3

    def predict(build_model):
        return noise.out_of_fold_probabilities(
            build_model, x, labels, folds=2, verbose=0
        )

    def on(hidden):
        softmax = keras.layers.Dense(3, activation="softmax")
        model = keras.Sequential([keras.Input((4,)), hidden, softmax])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    model, shared = on(keras.layers.Dense(3)), keras.layers.Dense(3)
    start = model.get_weights()
    for build_model in (lambda: model, lambda: on(shared)):
        with pytest.raises(ValueError, match=r"share the weight .*kernel"):
            predict(build_model)
    for build_model, message in ((model, "a function"), (list, "a list")):
        with pytest.raises(ValueError, match=f"build_model.*{message}"):
            predict(build_model)

    def reset():
        model.set_weights(start)
        return model

    assert predict(reset).shape == (12, 3)
    with pytest.raises(ValueError, match=r"share the weight .*kernel"):
        KerasClassifier(lambda: model).fit(x, labels)
    shared.trainable = False
    assert predict(lambda: on(shared)).shape == (12, 3)


class Sigmoids(Frequencies):
    """A model with an output for each column, which reads the samples."""

    def fit(self, x, y, **arguments):
        self.shape = y.shape[1:]

    def predict(self, x, batch_size=None, verbose=0):
        return x[:, : max(np.prod(self.shape, dtype=int), 1)]


def test_a_single_output_gives_both_classes():
    y = (ROWS[:, 0] > 0.5).astype("int8")
    found, of_logits = (
        noise.out_of_fold_probabilities(
            Sigmoids, x, y, 2, from_logits=from_logits, verbose=0
        )
        for x, from_logits in (
            (ROWS, False),
            (np.log(ROWS / (1 - ROWS)), True),
        )
    )
    wanted = np.stack([1 - ROWS[:, 0], ROWS[:, 0]], axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_allclose(of_logits, wanted, rtol=1e-6)
    assert noise.estimate_transition(found, y, percentile=100).shape == (2, 2)
    with pytest.raises(ValueError, match="from_logits=True"):
        noise.out_of_fold_probabilities(Sigmoids, 3 * ROWS, y, 2, verbose=0)


@pytest.mark.once
def test_predictions_of_several_labels_find_the_wrong_ones():
    x = np.random.default_rng(0).normal(size=(400, 8)).astype("float32")
    clean = (x @ np.eye(8, 3) > 0).astype(int)
    y = clean.copy()
    y[:40, 1] = 1 - y[:40, 1]
    y[300:, 2] = -1

    def build_model():
        sigmoid = keras.layers.Dense(3, "sigmoid")
        model = keras.Sequential([keras.Input((8,)), sigmoid])
        loss = Binary(GCE(0.7, ignore_class=-1))
        model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    keras.utils.set_random_seed(0)
    several = {"ignore_class": -1, "multi_label": True}
    p = noise.out_of_fold_probabilities(
        build_model, x, y, 2, epochs=10, verbose=0, **several
    )
    assert p.shape == y.shape and p.dtype == "float32"
    found = PredictionQuality(p, y, **several).suspects(20)
    assert np.mean((found[:, 0] < 40) & (found[:, 1] == 1)) > 0.8
    with pytest.raises(ValueError, match=r"3, num_classes\).*\(200, 3\)"):
        noise.out_of_fold_probabilities(
            build_model, x, y, 2, verbose=0, ignore_class=-1
        )
    with pytest.raises(ValueError, match="labels in"):
        noise.out_of_fold_probabilities(build_model, x, y, multi_label=True)


def test_predictions_of_tokens_have_their_shape():
    y = np.arange(60 * 7).reshape(60, 7) % 4
    y[:, -1] = -1

    class Tokens(Sigmoids):
        def predict(self, x, batch_size=None, verbose=0):
            rows = x[:, :28].reshape(-1, 7, 4)
            return rows / rows.sum(axis=-1, keepdims=True)

    found = noise.out_of_fold_probabilities(
        Tokens, ROWS, y, 3, ignore_class=-1, verbose=0
    )
    np.testing.assert_allclose(found, Tokens().predict(ROWS), rtol=1e-6)
    with pytest.raises(ValueError, match=r"each class, more than 4.*4 outputs"):
        noise.out_of_fold_probabilities(Tokens, ROWS, y + 1, 3, verbose=0)
