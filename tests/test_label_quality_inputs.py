"""LabelQuality reads what `fit` reads, and files in lists, folders, tables."""

import os
import types

import keras
import numpy as np
import pytest
from batches import Batches, tensorflow_batches, torch_batches
from keras import ops
from shown_epochs import probabilities, seen

from keras_noisy.callbacks import LabelQuality
from keras_noisy.callbacks.label_quality import Findings, _training_set
from keras_noisy.datasets import ImageDataset, ImageFiles
from keras_noisy.losses import with_clean_labels, with_index

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Forty images of four shades, some with a wrong label."""
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    folder = tmp_path_factory.mktemp("images")
    paths = [str(folder / f"{i}.png") for i in range(40)]
    for i, path in enumerate(paths):
        image.new("RGB", (8, 8), (60 * (i % 4),) * 3).save(path)
    labels = np.arange(40) % 4
    labels[[5, 17, 30]] = 0
    return paths, labels


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


def asked(quality):
    """After an epoch of a model that knows the shades."""
    quality.set_model(brightness())
    quality.on_epoch_end(0)
    return quality


def test_lists_of_paths_are_read_by_position(files):
    pandas = pytest.importorskip("pandas", reason="a column is of pandas")
    paths, labels = files
    dataset = ImageDataset((paths, labels), 16, image_size=8)
    expected = asked(LabelQuality(dataset, labels)).scores()
    shuffled_index = pandas.Series(paths, index=range(40, 0, -1))
    for x in (
        paths,
        np.array(paths),
        shuffled_index,
        ImageFiles(paths, labels, [*"abcd"]),
    ):
        quality = LabelQuality(x, labels, batch_size=16, image_size=8)
        assert np.array_equal(asked(quality).scores(), expected)
        assert [str(path) for path in quality.images] == paths
        assert sorted(quality.suspects(3).tolist()) == [5, 17, 30]
    # Paths from an array become plain strings again.
    for listed in (paths, list(np.array(paths))):
        kept, _ = quality.clean(listed, n=3)
        assert {type(path) for path in kept} == {str}
        assert kept == [p for i, p in enumerate(paths) if i not in (5, 17, 30)]


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
    csv = tmp_path / "labels.csv"
    table.to_csv(csv, index=False)
    in_bytes = table.assign(path=table["path"].map(os.fsencode))
    for given in (folder, str(folder), bytes(folder), table, csv, in_bytes):
        quality = LabelQuality(ImageDataset(given, 2, image_size=8), given)
        assert quality.class_names == ["bear", "fox", "wolf"]
        for label, file in zip(quality.labels, quality.images, strict=True):
            name = quality.class_names[label]
            assert f"{name}/" in str(file).replace("\\", "/")
        same = LabelQuality(given, given, image_size=8)
        assert list(same.images) == list(quality.images)
        with pytest.raises(ValueError, match=r"`image_size`.*as `x` lists"):
            LabelQuality(given, given)
    # A table of labels alone is a column of labels.
    codes = table[["label"]].replace({"bear": 0, "fox": 1, "wolf": 2})
    quality = LabelQuality(np.zeros((5, 4)), codes.astype(int))
    assert quality.labels.tolist() == codes["label"].tolist()


def test_an_index_says_which_samples_a_shuffled_data_set_gives(monkeypatch):
    monkeypatch.setattr(_training_set, "SAMPLES", 40)
    p, labels = probabilities()
    y, order = with_index(labels), np.random.default_rng(1).permutation(100)
    expected = seen(p, labels)
    for make in (Batches, tensorflow_batches, torch_batches):
        quality = seen(make(p[order], y[order]), labels)
        assert np.array_equal(quality.scores(), expected.scores())
    with pytest.raises(ValueError, match="each sample once"):
        order[:4] = order[4:8]
        seen(Batches(p[order], y[order]), labels)


def test_clean_labels_are_no_index_in_a_last_batch_of_one():
    p, labels = probabilities(65)
    clean = np.arange(65) % 3
    labels[-1] = labels[clean[-1]]
    quality = seen(Batches(p, with_clean_labels(labels, clean)), labels)
    assert np.array_equal(quality.scores(), seen(p, labels).scores())


def test_paths_need_a_size(files, monkeypatch):
    paths, labels = files
    with pytest.raises(ValueError, match=r"`image_size`.*ImageDataset\(x"):
        LabelQuality(paths, labels)
    with pytest.raises(ValueError, match=r"`x`.*len\(x\)=39"):
        LabelQuality(paths[1:], labels, image_size=8)
    # Only TensorFlow takes text inputs.
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="`image_size`"):
        LabelQuality(np.array(paths), labels)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    assert LabelQuality(np.array(paths), labels).images is None


def test_findings_of_a_training_loop_read_labels_as_the_callback_does():
    """In every form, and predictions as the tensors that a model returns."""
    labels = [0, 1, 2, 0]
    p = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
    tensor = ops.convert_to_tensor(p)
    for form in (labels, np.array(labels, "float32")[:, None]):
        findings = Findings(form)
        findings.update(findings.compare(tensor))
        assert findings.suspects(1).tolist() == [3]
    with pytest.raises(ValueError, match="at least 0"):  # not the last class
        Findings([0, 1, -1, 0])
