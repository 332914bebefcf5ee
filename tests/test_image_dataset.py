"""The reader of images that needs no TensorFlow."""

import pickle
import sys

import keras
import numpy as np
import pytest
from helpers import run_python
from PIL import Image

from keras_noisy._start import Start
from keras_noisy.datasets import ImageDataset


def noise(count, side=8):
    generator = np.random.default_rng(0)
    return generator.integers(256, size=(count, side, side, 3)).astype("uint8")


def folder(root, count, side=40):
    for i, image in enumerate(noise(count, side)):
        Image.fromarray(image).save(root / f"{i}.jpg")
    return [str(root / f"{i}.jpg") for i in range(count)], np.arange(count)


@pytest.mark.once
def test_tensorflow_is_not_needed_to_train(tmp_path):
    folder(tmp_path, 24)
    code = f"""
import sys
sys.modules["tensorflow"] = None
import keras
from keras_noisy import MAEStar
from keras_noisy.datasets import ImageDataset, pipeline

files = [{str(tmp_path)!r} + f"/{{i}}.jpg" for i in range(24)], [0, 1] * 12
model = keras.Sequential(
    [
        keras.Input((16, 16, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
model.compile("sgd", MAEStar(num_classes=2))
train = ImageDataset(files, 8, 16, "webvision", training=True, workers=2)
test = ImageDataset(files, 7, 16, "webvision")
history = model.fit(train, validation_data=test, epochs=2, verbose=0)
print(len(history.history["val_loss"]), "epochs")
print(model.predict(test, verbose=0).shape)
try:
    pipeline(files)
except ImportError as error:
    print(error)
"""
    # Its import takes half the time of PyTorch.
    output = run_python("-c", code, backend="jax")
    assert "2 epochs" in output
    assert "(24, 2)" in output
    assert "pip install tensorflow pillow" in output
    assert "ImageDataset does the same without" in output


class Recorded(ImageDataset):
    """Records the requests of `fit` and the answers."""

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        self.__dict__.setdefault("asked", []).append((self.epoch, index, batch))
        return batch

    @property
    def epoch(self):
        return self.__dict__.setdefault("epochs", 0)

    def on_epoch_end(self):
        super().on_epoch_end()
        self.__dict__["epochs"] = self.epoch + 1


@pytest.mark.parametrize("workers", [1, 4])
def test_fit_sees_every_batch_whatever_the_workers(workers):
    images, labels = noise(64), np.arange(64)
    arguments = {"augment": "cifar", "training": True, "seed": 5}
    data = Recorded((images, labels), 8, workers=workers, **arguments)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=3, verbose=0)
    alone = ImageDataset((images, labels), 8, **arguments)
    complete = 0
    for epoch in range(data.epoch):
        found = {i: batch for e, i, batch in data.asked if e == epoch}
        # Keras may look at a first batch, which counts as an epoch.
        complete += len(found) == 8
        for i, batch in found.items():
            for one, two in zip(batch, alone[i], strict=True):
                assert np.array_equal(one, two)
        alone.on_epoch_end()
    assert complete >= 3


@pytest.mark.parametrize("workers", [1, 3])
def test_predictions_are_in_the_order_of_the_files(tmp_path, workers):
    files, labels = folder(tmp_path, 23)
    data = ImageDataset((files, labels), 4, 12, workers=workers)
    inputs = keras.Input((12, 12, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    found = model.predict(data, verbose=0)
    wanted = np.concatenate([images.mean(axis=(1, 2)) for images, _ in data])
    assert len(found) == 23
    assert np.allclose(found, wanted, atol=1e-4)


def test_a_process_of_its_own_can_have_a_copy():
    images, labels = noise(16), np.arange(16)
    data = ImageDataset((images, labels), 4, 6, "webvision", training=True)
    data.on_epoch_end()
    copy = pickle.loads(pickle.dumps(data))
    for found, wanted in zip(copy[2], data[2], strict=True):
        assert np.array_equal(found, wanted)


def test_arguments_of_keras_are_handed_on():
    data = ImageDataset(
        (noise(4), np.zeros(4)),
        workers=3,
        use_multiprocessing=True,
        max_queue_size=7,
    )
    assert data.workers == 3
    assert data.use_multiprocessing is True
    assert data.max_queue_size == 7


def test_a_batch_out_of_range_is_no_batch():
    data = ImageDataset((noise(10), np.zeros(10)), 4)
    assert len(data) == 3
    assert len(data[2][0]) == 2
    for index in (3, -1):
        with pytest.raises(IndexError, match="0 to 2"):
            data[index]


def test_the_images_that_were_given_stay_as_they_are():
    images = noise(8)
    before = images.copy()
    for augment in (None, "cifar", "webvision"):
        data = ImageDataset((images, np.zeros(8)), 8, 8, augment, training=True)
        data[0]
        assert np.array_equal(images, before)


def test_pillow_is_needed_for_files_and_to_resize_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    given = noise(4), np.zeros(4)
    assert ImageDataset(given, 4, augment="cifar", training=True)[0]
    for arguments in ({"image_size": 4}, {"augment": "webvision"}):
        with pytest.raises(ImportError, match="pip install pillow"):
            ImageDataset(given, 4, **arguments)
    with pytest.raises(ImportError, match="pip install pillow"):
        ImageDataset((["a.jpg"], [0]), 1, 8)


def test_images_of_two_channels_are_not_resized():
    given = noise(4)[..., :2], np.zeros(4)
    assert ImageDataset(given, 4)[0][0].shape == (4, 8, 8, 2)
    with pytest.raises(ValueError, match="images with 2"):
        ImageDataset(given, 4, image_size=4)


@pytest.mark.parametrize("augment", [None, "cifar", "webvision"])
def test_a_later_start_gives_the_very_same_batches(augment):
    arguments = {"augment": augment, "training": True, "seed": 5}
    arguments["image_size"] = 8
    given = noise(27), np.arange(27)
    whole = ImageDataset(given, 4, **arguments)
    epochs = []
    for _ in range(4):
        epochs.append([whole[i] for i in range(len(whole))])
        whole.on_epoch_end()
    data = ImageDataset(given, 4, start=(2, 3), **arguments)
    for wanted in (epochs[2][3:], epochs[3]):
        assert len(data) == len(wanted)
        for i, batch in enumerate(wanted):
            for one, two in zip(data[i], batch, strict=True):
                assert np.array_equal(one, two)
        with pytest.raises(IndexError):
            data[len(wanted)]
        data.on_epoch_end()


def test_jax_evaluates_as_many_samples_in_every_process():
    arguments = (noise(9), np.arange(9)), 4
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError, match="divides the 9 samples"):
            ImageDataset(*arguments, shard=(0, 2))
    else:
        assert len(ImageDataset(*arguments, shard=(0, 2))) == 2
    assert len(ImageDataset(*arguments, training=True, shard=(0, 2))) == 1
    assert len(ImageDataset(*arguments, shard=(0, 3))) == 1


def test_workers_that_read_ahead_cannot_be_resumed():
    with pytest.raises(ValueError, match=r"`workers`.*workers=2"):
        ImageDataset(
            (noise(8), np.arange(8)),
            4,
            training=True,
            workers=2,
            start=Start((0, 0)),
        )
    with pytest.raises(ValueError, match=r"a batch below 2.*\(0, 2\)"):
        ImageDataset((noise(8), np.arange(8)), 4, start=(0, 2))
