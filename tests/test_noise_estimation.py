"""Predictions recover the transition matrix."""

import sys

import keras
import numpy as np
import pytest
import real_data

from keras_noisy import losses, noise
from keras_noisy.quality import KerasClassifier


def noisy_predictions(matrix, count=6_000):
    """What a perfect network learns from noisy labels, and the labels."""
    rng = np.random.default_rng(0)
    clean = rng.integers(len(matrix), size=count)
    given = noise.corrupt(clean, matrix, seed=5).labels
    sure = rng.uniform(0.9, 1, size=(count, 1))
    predicted = sure * matrix[clean] + (1 - sure) / len(matrix)
    return predicted, given


@pytest.mark.parametrize("method", ["anchor", "cleanlab"])
@pytest.mark.parametrize("name", ["symmetric", "asymmetric", "uneven"])
def test_the_transition_is_found_again(method, name):
    if method == "cleanlab":
        pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    matrix = {
        "symmetric": noise.symmetric(4, 0.3),
        "asymmetric": noise.asymmetric({0: 1, 2: 3}, 0.3, num_classes=4),
        "uneven": np.array([[0.9, 0.1, 0.0], [0.0, 0.7, 0.3], [0.2, 0, 0.8]]),
    }[name]
    predicted, given = noisy_predictions(matrix)
    found = noise.estimate_transition(predicted, given, method)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    # Counting takes a sample that fits a class too well for one of the class.
    bound = 0.05 if method == "anchor" else 0.12
    assert np.abs(found - matrix).max() < bound


def test_the_anchor_is_the_sample_at_the_percentile():
    first = np.linspace(0.005, 0.995, 100)
    predicted = np.stack([first, 1 - first], axis=1)
    for percentile, rank in ((None, 96), (97, 96), (100, 99), (60, 59)):
        found = noise.estimate_transition(predicted, percentile=percentile)
        assert found[0, 0] == pytest.approx(first[rank])


@pytest.mark.parametrize("num_classes", [10, 30, 100])
def test_anchors_are_samples_of_their_class(num_classes):
    matrix = noise.pair_flip(num_classes, 0.3)
    predicted, _ = noisy_predictions(matrix, 20_000)
    found = noise.estimate_transition(predicted)
    assert np.abs(found - matrix).max() < 0.1
    if num_classes == 100:
        with pytest.warns(UserWarning, match="raise `percentile`"):
            noise.estimate_transition(predicted, percentile=97)


def test_a_class_that_is_never_predicted_is_warned_of():
    predicted = np.random.default_rng(0).dirichlet([1, 1], size=100)
    predicted = np.c_[predicted, np.zeros(100)]
    with pytest.warns(UserWarning, match="1 of 3 classes, 2 the first"):
        noise.estimate_transition(predicted)


def test_the_percentile_is_exact():
    for count, percentile, rank in ((100, 7, 7), (750, 4.4, 33)):
        predicted = np.arange(1, count + 1) / (count + 1)
        predicted = np.c_[predicted, 1 - predicted]
        with pytest.warns(UserWarning, match="2 of 2"):
            matrix = noise.estimate_transition(predicted, percentile=percentile)
        np.testing.assert_allclose(matrix[0, 0], rank / (count + 1))


def test_bad_estimates():
    predicted = np.full((4, 2), 0.5)
    cases = [
        (([[2.0, 1.0]],), "sums to 3"),
        ((predicted, [0, 1]), "4 rows"),
        ((predicted, [0, 1, 2, 0]), r"\[0, 2\)"),
        ((predicted, None, "median"), '"cleanlab"'),
        ((predicted, None, "cleanlab"), "given labels"),
        ((predicted, [0, 0, 0, 0], "cleanlab"), "none of class 1"),
        ((predicted, None, "anchor", 0), "percentile"),
    ]
    pytest.importorskip("cleanlab", reason="cleanlab is not installed")
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            noise.estimate_transition(*arguments)


def test_without_cleanlab_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(ImportError, match=r"pip install .cleanlab"):
        noise.estimate_transition(np.eye(2), [0, 1], "cleanlab")


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


def test_it_goes_on_after_the_last_fold(fashion, tmp_path, capsys):
    x, given, _ = fashion
    built = []

    def run(x=x, fails_at=None, directory=tmp_path / "folds", **arguments):
        def build_model():
            built.append(1)
            if len(built) == fails_at:
                raise KeyboardInterrupt
            return Frequencies()

        return noise.out_of_fold_probabilities(
            build_model, x, given, 3, directory=directory, **arguments
        )

    with pytest.raises(KeyboardInterrupt):
        run(fails_at=3)
    resumed = run()
    assert len(built) == 4
    assert "3/3" in capsys.readouterr().out
    np.testing.assert_array_equal(resumed, run(directory=None))
    for other in ({"epochs": 2}, {"x": x + 1}, {"seed": 1}):
        with pytest.raises(ValueError, match="new folder"):
            run(**other)


class Frame(keras.callbacks.Callback):
    """A callback that learns."""

    def __init__(self, rate, seen):
        super().__init__()
        self.rate, self.seen = rate, seen

    def on_train_begin(self, logs=None):
        self.seen = [*self.seen, 1]


class Trained(Frequencies):
    """A model that calls its callbacks and has its own number."""

    def __init__(self, units=3):
        self.units = units

    def fit(self, x, y, callbacks=(), **arguments):
        for callback in keras.tree.flatten(callbacks):
            callback.set_model(MODEL)
            callback.on_train_begin()
        super().fit(x, y)


MODEL = keras.Sequential([keras.layers.Dense(1)])
ROWS = np.random.default_rng(0).random((60, 400))


def altered(value):
    rows = ROWS.copy()
    rows[30, 200] = value
    return rows


def rate_of(value):
    return keras.callbacks.LearningRateScheduler(lambda epoch: value)


#: Arguments that make the same folds, and others that do not.
ARGUMENTS = {
    "validation data": (
        lambda: {"validation_data": (altered(0.1), [1] * 60)},
        lambda: {"validation_data": (altered(0.2), [1] * 60)},
    ),
    "validation labels": (
        lambda: {"validation_data": (ROWS, np.arange(60) % 10)},
        lambda: {"validation_data": (ROWS, np.arange(60) % 9)},
    ),
    "patience": (
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(patience=1)]},
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(patience=2)]},
    ),
    "function of a callback": (
        lambda: {"callbacks": [rate_of(0.1)]},
        lambda: {"callbacks": [rate_of(0.2)]},
    ),
    "callback of a user": (
        lambda: {"callbacks": Frame(np.float32(0.1), {1, 2})},
        lambda: {"callbacks": Frame(np.float32(0.1), {1, 3})},
    ),
    "one more callback": (
        lambda: {"callbacks": [rate_of(0.1)]},
        lambda: {"callbacks": [rate_of(0.1), Frame(1, [])]},
    ),
    "class weight": (
        lambda: {"class_weight": {0: 1.0, 1: 2.0}},
        lambda: {"class_weight": {0: 1.0, 1: 3.0}},
    ),
    "samples": (lambda: {"x": altered(0.1)}, lambda: {"x": altered(0.2)}),
    "labels": (
        lambda: {"y": np.arange(60) % 10},
        lambda: {"y": np.arange(60) % 5 * 2},
    ),
    "model": (
        lambda: {"build_model": Trained},
        lambda: {"build_model": lambda: Trained(4)},
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("kind", ARGUMENTS)
def test_folds_of_other_arguments_are_never_returned(kind, tmp_path):
    def run(arguments):
        arguments = {
            "build_model": Trained,
            "x": ROWS,
            "y": np.arange(60) % 10,
            **arguments,
        }
        return noise.out_of_fold_probabilities(
            **arguments, folds=2, directory=tmp_path, verbose=0
        )

    same, other = ARGUMENTS[kind]
    arguments = same()
    first = run(arguments)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    # With the same objects, which are trained by now, and with equal ones.
    for again in (arguments, same()):
        np.testing.assert_array_equal(run(again), first)
    with pytest.raises(ValueError, match=r"holds folds with .*, not "):
        run(other())
    for path in tmp_path.glob("fold_*"):
        assert path.stat().st_mtime_ns == files[path]


@pytest.mark.once
def test_a_trained_callback_that_is_changed_then_is_another(tmp_path):
    frame = Frame(0.1, [])

    def run():
        return noise.out_of_fold_probabilities(
            *(Trained, ROWS, np.arange(60) % 10, 2),
            directory=tmp_path,
            verbose=0,
            callbacks=[frame],
        )

    run(), run()
    frame.extra = 5
    with pytest.raises(ValueError, match=r"callbacks\[0\].*extra"):
        run()


@pytest.mark.once
def test_what_cannot_be_compared_needs_no_folder(tmp_path):
    def run(data, **arguments):
        return noise.out_of_fold_probabilities(
            *(Trained, ROWS, np.arange(60) % 10, 2),
            verbose=0,
            validation_data=data,
            **arguments,
        )

    with pytest.raises(ValueError, match=r"`validation_data`.*leave `direc"):
        run((i for i in ROWS), directory=tmp_path / "folds")
    assert not (tmp_path / "folds").exists()
    run(i for i in ROWS)
    (tmp_path / "fold_0.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="of an earlier version"):
        run(None, directory=tmp_path)


class Untrained(keras.Sequential):
    """A network that trains instantly."""

    def fit(self, *arguments, **more):
        pass

    def predict(self, x, *arguments, **more):
        return np.full((len(x), 10), 0.1)


def test_folds_of_another_network_are_never_returned(tmp_path):
    def run(rate=0.1, q=0.7, step=1.0):
        def build_model():
            layers = [
                keras.Input((400,)),
                keras.layers.Dropout(rate),
                keras.layers.Dense(10, "softmax"),
            ]
            model = Untrained(layers)
            model.compile(keras.optimizers.SGD(step), losses.GCE(q=q))
            return model

        return noise.out_of_fold_probabilities(
            *(build_model, ROWS, np.arange(60) % 10, 2),
            directory=tmp_path,
            verbose=0,
            batch_size=30,
        )

    first = run()
    np.testing.assert_array_equal(run(), first)
    for name, message in {
        "rate": r"build_model\.layers\[1\]\.rate=0\.1",
        "q": r"build_model\.compiled\.loss\.q=0\.7",
        "step": r"build_model\.compiled\.optimizer\.learning_rate=1\.0",
    }.items():
        with pytest.raises(ValueError, match=f"{message}, not"):
            run(**{name: 0.5})


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
