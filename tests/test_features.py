"""Features of any Keras model: pooled, saved, continued."""

import hashlib
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest
from batches import Batches, tensorflow_batches, torch_batches

from keras_noisy._containers import in_parts
from keras_noisy.datasets import (
    ImageDataset,
    ImageFiles,
    SessionDataset,
    Sessions,
    pipeline,
)
from keras_noisy.quality import FeatureQuality, features
from keras_noisy.quality import features as function
from keras_noisy.training import SAM

IMAGES = np.random.default_rng(0).normal(size=(50, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(6, 3, name="maps")(inputs)
    dropped = keras.layers.Dropout(0.5)(maps)
    flat = keras.layers.GlobalMaxPooling2D()(dropped)
    return keras.Model(inputs, keras.layers.Dense(4, name="head")(flat))


def test_features_are_those_of_the_model_in_every_form(network):
    expected = network.predict(IMAGES, verbose=0)
    for data in (
        IMAGES,
        Batches(IMAGES, np.arange(50)),
        torch_batches(IMAGES, np.arange(50)),
    ):
        found = features(network, data, batch_size=32, verbose=0)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.once
def test_layers_are_pooled(network):
    data = tensorflow_batches(IMAGES, np.arange(50))
    maps = keras.Model(network.input, network.get_layer("maps").output)
    expected = maps.predict(IMAGES, verbose=0).mean(axis=(1, 2))
    for layer in ("maps", network.get_layer("maps")):
        found = features(network, data, layer, dtype="float32", verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.once
def test_a_layer_may_be_a_model_or_part_of_another_model(network):
    inputs = keras.Input((8, 8, 3))
    halves = keras.layers.Rescaling(0.5)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(network(halves)))
    maps = network.get_layer("maps")
    other = keras.Model(inputs, keras.layers.Flatten()(maps(halves)))
    expected = keras.Model(network.input, [maps.output, network.output])
    of_maps, of_network = expected.predict(IMAGES / 2, verbose=0)
    for outer, name, values in (
        (model, network.name, of_network),
        (other, "maps", of_maps.mean(axis=(1, 2))),
    ):
        found = features(outer, IMAGES, name, dtype="float32", verbose=0)
        np.testing.assert_allclose(found, values, atol=1e-5)


def test_masked_steps_do_not_count():
    tokens = np.array([[1, 2, 0, 0], [3, 3, 3, 3]])
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Embedding(5, 3, mask_zero=True)]
    )
    table = model.layers[-1].get_weights()[0]
    found = features(model, tokens, dtype="float32", verbose=0)
    expected = [(table[1] + table[2]) / 2, table[3]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.once
def test_sparse_inputs_are_read_in_parts(tmp_path):
    sparse = pytest.importorskip("scipy.sparse", reason="it needs SciPy")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    x = np.eye(4, dtype="float32")[[0, 2, 3, 1, 1]]
    expected = features(model, x, batch_size=2, verbose=0)
    for directory in (None, tmp_path, tmp_path):
        found = features(
            model, sparse.csr_matrix(x), None, 2, directory, verbose=0
        )
        np.testing.assert_array_equal(found, expected)


@pytest.mark.once
def test_sparse_inputs_of_any_form_are_converted_once():
    sparse = pytest.importorskip("scipy.sparse", reason="it needs SciPy")
    converted = []

    class Counted(sparse.coo_matrix):
        def tocsr(self, copy=False):
            converted.append(self.shape)
            return super().tocsr(copy)

    parts = [*in_parts(Counted(np.eye(6)), 2, 6)]
    np.testing.assert_array_equal(np.concatenate(parts), np.eye(6))
    assert converted == [(6, 6)]


@pytest.mark.once
def test_goes_on_where_it_was(network, tmp_path, monkeypatch):
    module = __import__(function.__module__, fromlist=["EACH"])
    monkeypatch.setattr(module, "EACH", 2)
    seen = []

    class Counted(Batches):
        end = 99

        def __getitem__(self, i):
            if i == self.end:
                raise KeyboardInterrupt
            seen.append(i)
            return super().__getitem__(i)

    x = np.concatenate([IMAGES] * 4)
    data = Counted(x, np.arange(len(x)))
    whole = features(network, data, verbose=0)
    seen.clear()
    data.end = 5
    folder = tmp_path / "features"
    with pytest.raises(KeyboardInterrupt):
        features(network, data, directory=folder, verbose=0)
    data.end = 99
    seen.clear()
    found = features(network, data, directory=folder, verbose=0)
    assert seen == [0, 4, 5, 6]  # the first is only compared
    assert np.array_equal(found, whole)
    seen.clear()
    found = features(network, data, directory=folder, verbose=0)
    assert seen == [0] and np.array_equal(found, whole)
    other = keras.models.clone_model(network)
    other.set_weights([2 * weight for weight in network.get_weights()])
    for model, given in ((other, data), (network, Batches(x + 1, x))):
        with pytest.raises(ValueError, match=r"`directory`.*(weights|data)"):
            features(model, given, directory=folder, verbose=0)
    arrays, folder = x.copy(), tmp_path / "arrays"
    features(network, arrays, directory=folder, verbose=0)
    arrays[-1] += 1  # Different, but not in the first batch.
    for given in (arrays, x[:-1]):
        with pytest.raises(ValueError, match=r"`directory`.*data"):
            features(network, given, directory=folder, verbose=0)
    (folder / "features.json").rename(tmp_path / "features.json")
    with pytest.raises(
        ValueError, match=r"`directory`.*without features\.json"
    ):
        features(network, x, directory=folder, verbose=0)
    (tmp_path / "features.json").rename(folder / "features.json")
    for file in sorted(folder.iterdir(), reverse=True):
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(ValueError, match=f"{file.name}.* damaged"):
            features(network, x, directory=folder, verbose=0)
    arrays[3] = np.nan
    with pytest.raises(ValueError, match=r"1 of 28 rows .* number 3\."):
        features(network, arrays, batch_size=28, verbose=0)


@pytest.mark.once
def test_a_model_without_an_input_goes_on_too(tmp_path):
    x = IMAGES[:, 0, 0]
    models = [keras.Sequential([keras.layers.Dense(4)]) for _ in range(2)]
    found = features(models[0], x, directory=tmp_path, verbose=0)
    again = features(models[0], x, directory=tmp_path, verbose=0)
    assert np.array_equal(found, again)
    with pytest.raises(ValueError, match=r"`directory`.*weights"):
        features(models[1], x, directory=tmp_path, verbose=0)


@pytest.mark.once
def test_arrays_are_hashed_in_parts(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(8e6, dtype="float32").reshape(-1, 8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    module = __import__(function.__module__, fromlist=["HASHED"])
    monkeypatch.setattr(module, "HASHED", 2**20)
    tracemalloc.start()
    found = module._digest([x, np.float32(3), x[:0]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4
    expected = hashlib.sha256(b"float32 (1000000, 8)" + x.tobytes())
    expected.update(b"float32 (1,)" + np.float32(3).tobytes())
    expected.update(b"float32 (0, 8)")
    assert found == expected.hexdigest()


def test_other_files_are_other_data(network, tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="files need Pillow")
    for i in range(6):
        image = pillow.fromarray(np.full((8, 8, 3), 40 * i, "uint8"))
        image.save(tmp_path / f"{i}.png")
    paths = [f"{tmp_path}/{i}.png" for i in (0, 1, 2, 4)]

    def found(paths):
        data = ImageDataset((paths, [0] * 4), 2, image_size=8)
        folder = tmp_path / "features"
        return features(network, data, directory=folder, verbose=0)

    whole = found(paths)
    assert np.array_equal(
        found([f"{tmp_path}/./{p[-5:]}" for p in paths]), whole
    )
    with pytest.raises(ValueError, match=r"`directory`.*files"):
        found([*paths[:2], f"{tmp_path}/3.png", paths[2]])


def test_a_folder_with_half_a_note_is_a_new_one(network, tmp_path, monkeypatch):
    def killed(path, text, encoding):
        path.write_bytes(text[:9].encode())
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(Path, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            features(network, IMAGES, directory=tmp_path, verbose=0)
    found = features(network, IMAGES, directory=tmp_path, verbose=0)
    assert np.array_equal(found, features(network, IMAGES, verbose=0))


class Endless(keras.utils.PyDataset):
    """Batches without a number of them, as Keras permits."""

    num_batches = None

    def __getitem__(self, index):
        return IMAGES, np.zeros(len(IMAGES), int)


@pytest.mark.once
def test_mistakes_are_errors(network):
    pixels = np.zeros((50, 8, 8, 3), "uint8"), np.arange(50)
    training = ImageDataset(pixels, 10, training=True)
    sorted_ = SessionDataset(Sessions([[1, 2, 3], [4, 5]]), by_length=True)
    loader = torch_batches(IMAGES, np.arange(50))
    shuffled = type(loader)(loader.dataset, batch_size=10, shuffle=True)
    for arguments, message in (
        ({"layer": "stem"}, "`layer`.*'maps'"),
        ({"layer": "maps", "model": SAM(network)}, "`layer`.*functional"),
        ({"dtype": "int8"}, "`dtype`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"data": iter([IMAGES])}, "`data`.*from its start"),
        (
            {"data": tensorflow_batches(IMAGES, IMAGES).repeat()},
            "does not repeat",
        ),
        (
            {"data": tensorflow_batches(IMAGES, IMAGES[:, 0, 0, 0]).unbatch()},
            "`data.*not single ones",
        ),
        ({"data": Endless()}, "`data`.*does not repeat"),
        ({"data": training}, "`data`.*in their order.*`training=False`"),
        ({"data": sorted_}, "`data`.*in their order.*`by_length=False`"),
        (
            {"data": pipeline(pixels, 10, training=True)},
            "`data`.*in their order.*`training=False`",
        ),
        ({"data": shuffled}, "`data`.*in their order.*`shuffle=False`"),
        ({"data": [IMAGES, IMAGES[:3]]}, "`data`.*one length"),
        ({"data": ["a.png"]}, r"`data`.*`ImageDataset\(\(paths, labels\)"),
        ({"data": list(np.array(["a.png"]))}, r"`data`.*`ImageDataset\("),
        ({"data": ImageFiles(["a.png"], [0])}, r"`data`.*`ImageDataset\("),
        ({"data": "photos"}, r"`data`.*`ImageDataset\("),
        ({"data": 1e9 * IMAGES}, "not finite in float16.*float32"),
    ):
        settings = {"model": network, "data": IMAGES, "verbose": 0}
        with pytest.raises(ValueError, match=message):
            features(**{**settings, **arguments})
    states = keras.layers.LSTM(2, return_state=True, name="states")
    inputs = keras.Input((3, 2))
    recurrent = keras.Model(inputs, states(inputs)[0])
    with pytest.raises(ValueError, match=r"`layer`.*a layer with one output"):
        features(recurrent, np.zeros((4, 3, 2)), "states", verbose=0)
    two = keras.Model(network.input, [network.outputs[0]] * 2)
    with pytest.raises(ValueError, match="Expected one output, or `layer`"):
        features(two, IMAGES, verbose=0)


@pytest.mark.once
def test_a_backbone_with_random_weights_tells_shapes_apart():
    """Horizontal and vertical bars: random features are enough."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(240, 32, 32, 3)).astype("float32") / 8
    clean = np.arange(240) % 2
    images[clean == 0, 12:18] += 1
    images[clean == 1, :, 12:18] += 1
    labels = np.where(rng.random(240) < 0.2, 1 - clean, clean)
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV3Small(
        (32, 32, 3),
        weights=None,
        include_top=False,
        include_preprocessing=False,
    )
    layer = model.layers[10].name
    found = features(model, images, layer, verbose=0).astype("float32")
    found = (found - found.mean(axis=0)) / (found.std(axis=0) + 1e-6)
    quality = FeatureQuality(found, labels, clean_labels=clean)
    assert quality.precision_recall()[0] > 0.9
