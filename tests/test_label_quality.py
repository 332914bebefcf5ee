"""LabelQuality: its scores, its inputs, and whether it finds the noise."""

import csv
import functools
import math
import sys
import types

import keras
import numpy as np
import pytest
import real_data

from keras_noisy.callbacks import LabelQuality
from keras_noisy.datasets import ImageDataset
from keras_noisy.losses import ELR, with_index

SCORES = ("area_under_margin", "margin", "loss", "forgetting")

#: Predictions of four samples, labeled 0, 0, 1 and 2, after four epochs.
EPOCHS = np.array(
    [
        [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
        [[0.2, 0.7, 0.1], [0.2, 0.5, 0.3], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
        [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]],
        [[0.1, 0.6, 0.3], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.1, 0.7]],
    ]
)
LABELS = np.array([0, 0, 1, 2])


def shown(epochs, labels, first_epoch=0, **arguments):
    """A callback that saw these predictions, and the logs of each epoch."""
    x = np.zeros(np.shape(epochs)[1:], "float32")
    quality = LabelQuality(x, labels, **arguments)
    quality.set_model(identity(x.shape[1:]))
    history = []
    for epoch, predictions in enumerate(epochs, first_epoch):
        x[:] = predictions
        history.append({})
        quality.on_epoch_end(epoch, history[-1])
    return quality, history


@functools.cache
def identity(shape, dtype="float32"):
    """A model that predicts its input."""
    layer = keras.layers.Identity(dtype=dtype)
    return keras.Sequential([keras.Input(shape, dtype=dtype), layer])


def blobs(count=300, wrong=0.2, seed=0):
    """Three well-separated classes with some wrong labels."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(3, size=count)
    x = rng.normal(size=(count, 4)) / 6 + np.eye(3, 4)[clean]
    labels = np.where(rng.random(count) < wrong, (clean + 1) % 3, clean)
    return x.astype("float32"), labels, clean


def classifier():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def fit(model, x, y, callbacks, epochs=3, batch_size=10):
    """The history of a training."""
    return model.fit(
        x,
        y,
        batch_size,
        epochs,
        verbose=0,
        callbacks=callbacks,
        # On PyTorch the order is drawn from a generator that `predict` uses.
        shuffle=False,
    ).history


@pytest.mark.once
def test_scores_are_their_formulas():
    quality, _ = shown(EPOCHS, LABELS)
    last = [math.log(6), math.log(8), math.log(2), -math.log(7 / 2)]
    assert quality.scores("margin") == pytest.approx(last, rel=1e-5)
    loss = [-math.log(p) for p in (0.1, 0.1, 0.3, 0.7)]
    assert quality.scores("loss") == pytest.approx(loss, rel=1e-5)
    first = (math.log(7 / 2) - math.log(7 / 2) + math.log(2) - math.log(6)) / 4
    mean = quality.scores("area_under_margin")
    assert mean == pytest.approx(
        [
            -first,
            (math.log(6) + math.log(5 / 2) + math.log(2) + math.log(8)) / 4,
            (-math.log(7 / 2) * 2 + math.log(2) * 2) / 4,
            (-math.log(8) * 3 - math.log(7 / 2)) / 4,
        ],
        rel=1e-5,
    )
    assert np.array_equal(quality.scores(), mean)
    # Twice forgotten, never learned in four epochs, once, never forgotten.
    assert quality.scores("forgetting").tolist() == [2, 4, 1, 0]
    assert quality.suspects(4).tolist() == [1, 0, 2, 3]
    assert quality.suspects(2, score="forgetting").tolist() == [1, 0]


@pytest.mark.once
def test_logits_give_the_scores_of_their_probabilities():
    offset = np.random.default_rng(0).normal(size=(4, 4, 1)) * 50
    logits = np.log(EPOCHS) + offset
    quality, _ = shown(logits, LABELS, from_logits=True)
    expected, _ = shown(EPOCHS, LABELS)
    for score in SCORES:
        assert quality.scores(score) == pytest.approx(
            expected.scores(score), rel=1e-4, abs=1e-4
        )


@pytest.mark.once
def test_scores_are_copies():
    quality, _ = shown(EPOCHS, LABELS)
    for score in SCORES:
        quality.scores(score)[:] = np.nan
        assert np.all(np.isfinite(quality.scores(score)))


@pytest.mark.once
def test_ties_are_broken_by_the_area_under_the_margin():
    # No label is ever predicted: all have the same forgetting score.
    doubts = np.array([0.55, 0.95, 0.65, 0.85, 0.75])
    epoch = np.stack([1 - doubts, doubts], axis=1)
    quality, _ = shown([epoch, epoch], np.zeros(5, int))
    assert quality.scores("forgetting").tolist() == [2] * 5
    assert quality.suspects(5, "forgetting").tolist() == [1, 3, 4, 2, 0]


@pytest.mark.once
def test_probabilities_of_zero_and_one_can_be_sorted():
    epoch = [[0, 1, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]
    quality, _ = shown([epoch, epoch], np.zeros(4, int))
    for score in SCORES:
        assert np.all(np.isfinite(quality.scores(score)))
    assert quality.suspects(4)[-2:].tolist() == [2, 1]
    # Logits have no such limit.
    epoch = [[0, 400, 0], [0, 500, 0]]
    quality, _ = shown([epoch], [0, 0], from_logits=True)
    assert quality.scores("margin").tolist() == [400, 500]
    assert quality.suspects(2).tolist() == [1, 0]


@pytest.mark.once
def test_start_epoch_leaves_out_earlier_epochs_of_the_scores_alone():
    quality, history = shown(EPOCHS, LABELS, start_epoch=2, clean_labels=LABELS)
    expected, _ = shown(EPOCHS[2:], LABELS)
    for score in SCORES:
        assert np.array_equal(quality.scores(score), expected.scores(score))
    assert [set(logs) for logs in history] == [
        {"memorization_rate", "clean_accuracy"}
    ] * 4
    quality, _ = shown(EPOCHS, LABELS, start_epoch=2, first_epoch=2)
    assert np.array_equal(quality.scores(), shown(EPOCHS, LABELS)[0].scores())


@pytest.mark.once
def test_rates_are_those_of_the_clean_labels():
    clean = [0, 1, 0, -1]
    _, history = shown(EPOCHS, LABELS, clean_labels=clean)
    rates = [logs["memorization_rate"] for logs in history]
    # Wrong labels: 0, 1 and 2 of the samples 1, 2 and 3.
    assert rates == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3])
    accuracy = [logs["clean_accuracy"] for logs in history]
    assert accuracy == [2 / 4, 1 / 4, 3 / 4, 1 / 4]
    assert all(type(v) is float for logs in history for v in logs.values())
    _, history = shown(EPOCHS, LABELS, clean_labels=LABELS)
    assert {logs["memorization_rate"] for logs in history} == {0.0}


@pytest.mark.once
def test_precision_and_recall_are_those_of_the_suspects():
    quality, _ = shown(EPOCHS, LABELS, clean_labels=[0, 1, 0, 2])
    assert quality.precision_recall() == (0.5, 0.5)  # suspects 1 and 0
    assert quality.precision_recall(1) == (1, 0.5)
    assert quality.precision_recall(3, "loss") == (2 / 3, 1)


@pytest.mark.once
def test_suspects_of_one_label():
    quality, _ = shown(EPOCHS, LABELS)
    assert quality.suspects(10, label=0).tolist() == [1, 0]
    assert quality.suspects(1, label=2).tolist() == [3]
    with pytest.raises(ValueError, match="a label that `y` has"):
        quality.suspects(1, label=7)


def test_finds_wrong_labels_and_leaves_the_training_as_it_is(tmp_path):
    x, labels, clean = blobs()
    alone = classifier()
    fit(alone, x, labels, [], epochs=5)

    quality = LabelQuality(x, labels, clean)
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    keep = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras",
        "clean_accuracy",
        mode="max",
        save_best_only=True,
    )
    model = classifier()
    history = fit(model, x, labels, [quality, logger, keep], epochs=5)
    for ours, theirs in zip(
        model.get_weights(), alone.get_weights(), strict=True
    ):
        assert np.array_equal(ours, theirs)
    for score in ("area_under_margin", "margin", "loss"):
        assert quality.precision_recall(score=score)[0] > 0.85
    assert len(history["clean_accuracy"]) == len(history["loss"]) == 5
    assert history["clean_accuracy"][-1] > 0.9
    assert history["memorization_rate"][-1] < 0.2
    assert (tmp_path / "best.keras").exists()
    with (tmp_path / "log.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["clean_accuracy"]) == history["clean_accuracy"][-1]


def test_scores_are_those_of_evaluation_and_go_on_over_several_fits():
    x, labels, _ = blobs()
    quality, margins = LabelQuality(x, labels, batch_size=70), []
    model, index = classifier(), np.arange(len(x))
    for _ in range(2):
        fit(model, x, labels, [quality], epochs=1)
        p = model.predict(x, verbose=0).astype("float64")
        given = np.log(p[index, labels])
        p[index, labels] = 0
        margins.append(given - np.log(p.max(axis=1)))
    expected = -np.mean(margins, axis=0)
    assert quality.scores() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_works_with_the_labels_and_the_memory_of_elr():
    x, labels, clean = blobs()
    elr = ELR(num_samples=len(x))
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, elr.memory(outputs))
    model.compile(keras.optimizers.SGD(0.3), elr)
    quality = LabelQuality(x, with_index(labels), clean)
    fit(model, x, with_index(labels), [quality], epochs=5)
    assert quality.precision_recall()[0] > 0.85


@pytest.mark.once
def test_takes_several_inputs():
    x, labels, clean = blobs()
    sides = ("left", "right")
    inputs = {side: keras.Input((2,), name=side) for side in sides}
    joined = keras.layers.Concatenate()([inputs["left"], inputs["right"]])
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(joined))
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy")
    parts = {"left": x[:, :2], "right": x[:, 2:]}
    quality = LabelQuality(parts, labels, clean)
    fit(model, parts, labels, [quality], epochs=5)
    assert quality.precision_recall()[0] > 0.85
    with pytest.raises(ValueError, match="`images`"):
        quality.plot(1)


class Column:
    """A column of a table whose index is not the order of its rows."""

    def __init__(self, values):
        self.values = list(values)
        self.shape = (len(self.values),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        return self.values[-1 - key]

    def __iter__(self):
        return iter(self.values)

    def to_numpy(self):
        return np.array(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


class Batches(keras.utils.PyDataset):
    """Batches of 32 in order, or shuffled anew after each epoch."""

    def __init__(self, x, y, shuffle=False):
        super().__init__()
        self.x, self.y, self.shuffle = x, y, shuffle
        self.order = np.arange(len(x))

    def __len__(self):
        return -(-len(self.x) // 32)

    def __getitem__(self, i):
        part = self.order[32 * i : 32 * (i + 1)]
        return self.x[part], self.y[part]

    def on_epoch_end(self):
        if self.shuffle:
            self.order = np.random.default_rng(0).permutation(len(self.x))


def tensorflow_batches(x, y):
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(32)


def torch_batches(x, y):
    data = pytest.importorskip("torch.utils.data", reason="needs PyTorch")
    pairs = list(zip(x, y, strict=True))
    return data.DataLoader(pairs, batch_size=32)


def probabilities(count=100):
    """Predictions of a data set, and labels that often contradict them."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), count).astype("float32")
    return p, rng.integers(3, size=count)


def seen(x, labels, epochs=1, dtype="float32"):
    """A callback of a model that predicts what it is given."""
    quality = LabelQuality(x, labels)
    quality.set_model(identity((3,), dtype))
    for epoch in range(epochs):
        quality.on_epoch_end(epoch)
    return quality


@pytest.mark.parametrize(
    "make",
    [
        Batches,
        tensorflow_batches,
        # On other backends `test_features.py` reads a PyTorch loader.
        pytest.param(torch_batches, marks=pytest.mark.once),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "integers",
        *(
            pytest.param(kind, marks=pytest.mark.once)
            for kind in ("one-hot", "with index")
        ),
    ],
)
def test_a_data_set_gives_the_scores_of_its_arrays(make, kind):
    p, labels = probabilities()
    y = {
        "integers": labels,
        "one-hot": np.eye(3, dtype="float32")[labels],
        "with index": with_index(labels),
    }[kind]
    quality, arrays = seen(make(p, y), labels, 2), seen(p, labels, 2)
    for score in SCORES:
        assert np.array_equal(quality.scores(score), arrays.scores(score))


@pytest.mark.once
def test_a_data_set_without_labels_is_taken_in_its_order():
    p, labels = probabilities()
    dataset = tensorflow_batches(p, labels).map(lambda x, y: x)
    scores = seen(dataset, labels).scores()
    assert np.array_equal(scores, seen(p, labels).scores())


@pytest.mark.once
def test_a_data_set_that_shuffles_is_an_error():
    x, labels, _ = blobs()
    batches = Batches(x, labels, shuffle=True)
    quality = LabelQuality(batches, labels)
    model = classifier()
    # In order until `fit` calls its `on_epoch_end`.
    with pytest.raises(ValueError, match="in the order of `y`"):
        model.fit(batches, epochs=3, verbose=0, callbacks=[quality])
    dataset = tensorflow_batches(x, labels).unbatch().shuffle(300).batch(32)
    quality = LabelQuality(dataset, labels)
    quality.set_model(model)
    with pytest.raises(ValueError, match="does not shuffle"):
        quality.on_epoch_end(0)


@pytest.mark.once
def test_a_data_set_of_another_length_is_an_error():
    p, labels = probabilities()
    dataset = tensorflow_batches(p, labels)
    with pytest.raises(ValueError, match=r"100, in every epoch.* gives 64"):
        seen(dataset.take(2), labels)
    with pytest.raises(ValueError, match="gives more"):
        seen(dataset.repeat(), labels)


X = np.zeros((4, 2, 2), "float32")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.eye(3)}, r"`y`.*np\.argmax"),
        ({"y": [[0, 1], [1, 0], [0, 1], [1, 0]]}, r"`y`.*np\.argmax"),
        ({"y": [0.5, 1, 0, 1]}, r"`y`.*whole numbers"),
        ({"y": [-1, 0, 0, 1]}, r"`y`.*labels of at least 0"),
        ({"y": ["cat", "dog", "cat", "dog"]}, r"`y`.*whole numbers"),
        ({"y": [float("nan"), 0, 0, 1]}, r"`y`.*whole numbers"),
        ({"y": []}, r"`y`.*at least one label"),
        ({"y": [0, 1, 2]}, r"`x`.*each of the 3 labels of `y`.*len\(x\)=4"),
        ({"x": [X, X[:3]]}, r"`x`.*len\(x\)=3"),
        ({"x": [[0.0], [1.0]]}, r"`x`.*arrays, or a data set"),
        ({"x": iter([])}, r"`x`.*arrays, or a data set"),
        ({"clean_labels": [0, 1, 2]}, r"`clean_labels`.*len\(clean_labels\)=3"),
        ({"clean_labels": [0, 1, 2, 0.5]}, r"`clean_labels`.*whole numbers"),
        ({"images": X[:2]}, r"`images`.*len\(images\)=2"),
        ({"images": {i: X[i] for i in range(4)}}, r"`images`.*a column"),
        ({"images": iter(X)}, r"`images`"),
        ({"class_names": {"a", "b", "c"}}, r"`class_names`.*in the order"),
        ({"class_names": {"a": 0, "b": 1}}, r"`class_names`.*a mapping from"),
        ({"class_names": {0: "a", 2: "b"}}, r"`class_names`.*a mapping from"),
        ({"y": [0, 1, 2, 2**40]}, r"`y`.*32 bits"),
        ({"x": types.SimpleNamespace(files=[])}, r"`x`.*ImageDataset\(x"),
        ({"class_names": ["a", "b"]}, r"`class_names`.*a name for each class"),
        ({"batch_size": 0}, r"`batch_size`.*>= 1"),
        ({"from_logits": 1}, r"`from_logits`.*True or False"),
        ({"start_epoch": -1}, r"`start_epoch`.*>= 0"),
    ],
)
@pytest.mark.once
def test_bad_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=r"Invalid value for arg.*" + message):
        LabelQuality(**{"x": X, "y": LABELS, **arguments})


@pytest.mark.once
def test_labels_of_every_form_are_the_same():
    forms = (
        LABELS.tolist(),
        LABELS[:, None].astype("uint8"),
        LABELS.astype("float32"),
        with_index(LABELS),
        keras.ops.convert_to_tensor(LABELS),
        LABELS.astype(object),
        Column(LABELS),
    )
    for labels in forms:
        assert np.array_equal(LabelQuality(X, labels).labels, LABELS)
    for labels in (LABELS > 0, (LABELS > 0).astype(object), Column(LABELS > 0)):
        quality = LabelQuality(X, labels, clean_labels=labels)
        assert np.array_equal(quality.labels, [0, 0, 1, 1])
        assert np.array_equal(quality.clean_labels, [0, 0, 1, 1])


@pytest.mark.once
def test_columns_of_tables_are_read_by_position(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    pixels = np.arange(0, 200, 50, "uint8")[:, None, None] * np.ones((4, 4))
    paths = []
    for i, of in enumerate(pixels.astype("uint8")):
        paths.append(tmp_path / f"{i}.png")
        image.fromarray(of).save(paths[-1])
    for images in (Column(pixels), Column(paths), Column(map(str, paths))):
        quality, _ = shown(
            EPOCHS,
            Column(LABELS),
            clean_labels=Column(LABELS[::-1]),
            class_names=Column(["a", "b", "c"]),
            images=images,
        )
        assert quality.clean_labels.tolist() == LABELS[::-1].tolist()
        assert quality.class_names == ["a", "b", "c"]
        for i, axes in zip([1, 0, 2, 3], quality.plot(4).axes, strict=True):
            assert np.all(axes.images[0].get_array() == 50 * i)
    quality = LabelQuality(Column(EPOCHS[0]), LABELS)
    assert quality.x[0].tolist() == EPOCHS[0][0].tolist()


@pytest.mark.once
def test_columns_of_pandas_are_read_by_position():
    pandas = pytest.importorskip("pandas", reason="the table is of pandas")
    pixels = np.arange(0, 200, 50)[:, None, None] * np.ones((4, 4))
    frame = pandas.DataFrame(
        {"label": LABELS, "image": list(pixels), "p": list(EPOCHS[0])},
        index=[3, 2, 0, 1],
    )
    table = pandas.DataFrame(EPOCHS[0], index=frame.index, columns=[*"abc"])
    quality = LabelQuality(table, frame["label"], images=frame["image"])
    assert quality.labels.tolist() == LABELS.tolist()
    assert np.array_equal(quality.x, EPOCHS[0])
    quality.set_model(identity((3,)))
    quality.on_epoch_end(0)
    suspects = shown(EPOCHS[:1], LABELS)[0].suspects(4)
    assert np.array_equal(quality.suspects(4), suspects)
    for i, axes in zip(suspects, quality.plot(4).axes, strict=True):
        assert np.all(axes.images[0].get_array() == 50 * i)


@pytest.mark.once
def test_names_may_be_a_mapping_or_bytes():
    for names in ({1: "b", 2: "c", 0: "a"}, np.array([b"a", b"b", b"c"])):
        quality = LabelQuality(X, LABELS, class_names=names)
        assert quality.class_names == ["a", "b", "c"]


@pytest.mark.once
def test_a_data_set_of_files_brings_labels_names_and_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    rng = np.random.default_rng(0)
    files = []
    for i in range(40):
        files.append(str(tmp_path / f"{i}.png"))
        pixels = np.full((8, 8, 3), 60 * (i % 4), "uint8")
        image.fromarray(pixels).save(files[-1])
    labels = np.where(rng.random(40) < 0.1, 0, np.arange(40) % 4)
    data = types.SimpleNamespace(
        files=np.array(files), labels=labels, class_names=[*"abcd"]
    )
    x = ImageDataset((data.files, data.labels), 16, image_size=8)
    quality = LabelQuality(x, data)
    assert np.array_equal(quality.labels, labels)
    assert quality.class_names == [*"abcd"]
    quality.set_model(brightness())
    quality.on_epoch_end(0)
    wrong = np.flatnonzero(labels != np.arange(40) % 4)
    assert len(wrong) and set(quality.suspects(len(wrong))) == set(wrong)
    (axes,) = quality.plot(1).axes
    shade = 60 * (quality.suspects(1)[0] % 4)
    assert np.all(axes.images[0].get_array() == shade)
    # The separate argument counts.
    quality = LabelQuality(x, data, class_names=[*"efgh"], images=files[::-1])
    assert quality.class_names == [*"efgh"] and quality.images[0] == files[-1]


@pytest.mark.once
def test_folders_and_tables_are_taken_as_they_are(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    pandas = pytest.importorskip("pandas", reason="tables need pandas")
    rows = []
    for i, name in enumerate(["wolf", "bear", "wolf", "fox", "bear"]):
        path = tmp_path / "images" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (8, 8), (40 * i, 0, 0)).save(path)
        rows.append((str(path), name))
    folder = tmp_path / "images"
    table = pandas.DataFrame(rows, columns=["path", "label"]).sample(
        frac=1, random_state=1
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    for given in (folder, str(folder), table, tmp_path / "labels.csv"):
        quality = LabelQuality(ImageDataset(given, 2, image_size=8), given)
        assert quality.class_names == ["bear", "fox", "wolf"]
        for label, file in zip(quality.labels, quality.images, strict=True):
            name = quality.class_names[label]
            assert f"{name}/" in str(file).replace("\\", "/")
    # A table of labels alone is a column of labels.
    codes = table[["label"]].replace({"bear": 0, "fox": 1, "wolf": 2})
    quality = LabelQuality(np.zeros((5, 4)), codes.astype(int))
    assert quality.labels.tolist() == codes["label"].tolist()


def brightness():
    """A model that knows how bright the images of each class are."""
    inputs = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    classes = keras.layers.Dense(4, "softmax", kernel_initializer="zeros")
    model = keras.Model(inputs, classes(mean))
    # Logits of -(x - c)^2 up to x^2, at the shades c of the classes.
    shades = np.arange(4) * 60 / 255
    kernel = 100 * np.tile(2 * shades / 3, (3, 1))
    model.layers[-1].set_weights([kernel, -100 * shades**2])
    return model


@pytest.mark.parametrize(
    ("epoch", "arguments", "message"),
    [
        (np.log(EPOCHS[0]), {}, r"`from_logits=True`.*softmax"),
        (3 * EPOCHS[0], {}, r"`from_logits=True`"),
        (EPOCHS[0], {"from_logits": True}, r"pass `from_logits=False`"),
        (np.full((4, 3), np.nan), {}, "training has diverged"),
        (EPOCHS[0][:, :2] / 0.5, {}, r"labels in \[0, 2\).*a label 2"),
        (EPOCHS[0][:, :1], {}, r"labels in \[0, 2\).*a label 2"),
        (np.stack([EPOCHS[0]] * 2, 1), {}, r"one output.*\(4, 2, 3\)"),
        (EPOCHS[0], {"class_names": list("abcd")}, r"`class_names`.*3 names"),
    ],
)
@pytest.mark.once
def test_predictions_that_do_not_fit_are_errors(epoch, arguments, message):
    with pytest.raises(ValueError, match=message):
        shown([epoch], LABELS, **arguments)


def test_half_precision_probabilities_are_probabilities():
    p, labels = probabilities()
    expected = seen(p, labels).scores()
    for dtype in ("float16", "bfloat16"):
        scores = seen(p, labels, dtype=dtype).scores()
        assert scores == pytest.approx(expected, abs=0.05)


@pytest.mark.once
def test_before_any_epoch_everything_says_to_pass_it_to_fit(tmp_path):
    quality = LabelQuality(X, LABELS, LABELS[::-1], start_epoch=2)
    for ask in (
        quality.scores,
        lambda: quality.suspects(3),
        quality.precision_recall,
        quality.plot,
        lambda: quality.report(tmp_path / "report.html"),
    ):
        with pytest.raises(RuntimeError, match=r"fit\(.*callbacks=.*=2"):
            ask()
    assert not list(tmp_path.iterdir())


@pytest.mark.once
def test_wrong_questions_are_errors():
    quality, _ = shown(EPOCHS, LABELS)
    with pytest.raises(ValueError, match=r"`score`.*'area_under_margin'"):
        quality.scores("confidence")
    for n in (0, 1.5, True):
        with pytest.raises(ValueError, match="`n`"):
            quality.suspects(n)
    with pytest.raises(ValueError, match="true labels: pass `clean_labels`"):
        quality.precision_recall()
    quality, _ = shown(EPOCHS, LABELS, clean_labels=LABELS)
    with pytest.raises(ValueError, match="need a wrong label"):
        quality.precision_recall()


@pytest.mark.once
def test_plot_shows_the_worst_images_with_their_labels():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    images = np.random.default_rng(0).integers(
        0, 256, (4, 5, 6, 3), dtype="uint8"
    )
    names = ["a cat", "$ dollar", "<c>"]
    quality, _ = shown(EPOCHS, LABELS, images=images, class_names=names)
    figure = quality.plot(3)
    assert [axes.get_title() for axes in figure.axes] == [
        "given a cat\npredicted <c>",
        "given a cat\npredicted $ dollar",
        "given $ dollar\npredicted a cat",
    ]
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(drawn, images[[1, 0, 2]])
    figure.canvas.draw()
    assert len(quality.plot(9, label=0).axes) == 2


@pytest.mark.parametrize("scale", [1.0, 1.000001, 1.02])
@pytest.mark.once
def test_float_pictures_a_little_above_one_are_not_black(scale):
    from keras_noisy.quality._pictures import pictures

    images = scale * np.linspace(0, 1, 64).reshape(1, 8, 8)
    images[0, 0, 0] = np.nan
    (found,) = pictures(images, [0])
    assert found.max() == 255 and 120 < found.mean() < 135


@pytest.mark.once
def test_deep_pictures_are_scaled_and_not_clipped(tmp_path):
    from PIL import Image

    from keras_noisy.quality._pictures import pictures

    ramp = np.arange(256, dtype="uint16").reshape(16, 16) * 257
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    (found,) = pictures([tmp_path / "deep.png"], [0])
    np.testing.assert_array_equal(found[..., 0].ravel(), np.arange(256))


@pytest.mark.once
def test_clean_labels_are_labels_of_the_model():
    with pytest.raises(ValueError, match=r"clean_labels.*at least -1"):
        LabelQuality(X, LABELS, LABELS - 7)
    with pytest.raises(ValueError, match=r"clean_labels.*below \d+"):
        shown(EPOCHS, LABELS, clean_labels=LABELS + 99)


@pytest.mark.once
def test_images_of_every_form_are_shown_as_they_are(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    color = np.random.default_rng(0).integers(
        0, 256, (4, 6, 5, 3), dtype="uint8"
    )
    color[:, 0, 0], color[:, 0, 1] = 0, 255
    gray = color[..., 0]
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for file, pixels in zip(files, color, strict=True):
        image.fromarray(pixels).save(file)
    quality, _ = shown(EPOCHS, LABELS)
    sizes = [color[0], color[1, :4], color[2], color[3, :, :3]]
    for images, expected in (
        (color, color),
        (color.astype("float32"), color),
        ((color / 255).astype("float32"), color),
        ((color / 127.5 - 1).astype("float32"), color),
        (np.moveaxis(color, -1, 1), color),
        (keras.ops.convert_to_tensor(color), color),
        (files, color),
        (list(map(str, files)), color),
        (gray, gray),
        (gray[..., None], gray),
        (gray > 127, np.where(gray > 127, 255, 0)),
        (sizes, sizes),
    ):
        quality.images = images
        for i, axes in zip([1, 0, 2, 3], quality.plot(4).axes, strict=True):
            drawn = axes.images[0].get_array()
            assert np.array_equal(drawn, expected[i])
    with pytest.raises(ValueError, match="pass `images` at the beginning"):
        shown(EPOCHS, LABELS)[0].plot(1)  # `x` is a table
    quality.images = gray.reshape(4, 30)
    with pytest.raises(ValueError, match=r"\(height, width\).*shape \(30,\)"):
        quality.plot(1)


@pytest.mark.once
def test_missing_packages_are_named(monkeypatch, tmp_path):
    quality, _ = shown(EPOCHS, LABELS, images=np.zeros((4, 8, 8)))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        quality.plot(1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        quality.report(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


# The scores are NumPy; how networks learn is tested elsewhere.
@pytest.mark.once
def test_finds_symmetric_noise_in_real_images():
    images, clean = real_data.fashion_mnist("train")
    images, clean = images[:6000] / np.float32(255), clean[:6000].astype(int)
    rng = np.random.default_rng(0)
    other = (clean + rng.integers(1, 10, len(clean))) % 10
    labels = np.where(rng.random(len(clean)) < 0.4, other, clean)
    model = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss)
    quality = LabelQuality(images, labels, clean, from_logits=True)
    fit(model, images, labels, [quality], 5, batch_size=100)
    for score in SCORES:
        precision, recall = quality.precision_recall(score=score)
        assert precision == recall > 0.8


# The scores are NumPy; how networks learn is tested elsewhere.
@pytest.mark.once
@pytest.mark.slow
def test_finds_human_mistakes_in_real_images():
    count = 5000
    human = real_data.cifar_n_labels()
    labels = human["c100_noisy_label"][:count]
    clean = human["c100_clean_label"][:count]
    images = real_data.cifar100_images("train", count)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([layers.Rescaling(1 / 64, -2)])
    for filters, size in ((32, 5), (64, 3)):
        model.add(layers.Conv2D(filters, size, 2, "same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.8))
        model.add(layers.ReLU())
    model.add(layers.AveragePooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(100, "softmax"))
    model.compile(
        keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy"
    )
    quality = LabelQuality(images, labels, clean)
    fit(model, images, labels, [quality], 5, batch_size=100)
    # By chance it is the share of wrong labels, 40 %.
    for score in SCORES:
        assert quality.precision_recall(score=score)[0] > 0.47
        assert quality.precision_recall(300, score)[0] > 0.55
