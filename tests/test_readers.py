"""The common behavior of both image readers."""

import functools

import keras
import numpy as np
import pytest
from image_readers import (
    epoch,
    folder_of,
    gray,
    look,
    photographs,
    presets,
    readers,
    same,
)
from PIL import Image

from keras_noisy import losses
from keras_noisy.datasets import ImageDataset, pipeline
from keras_noisy.metrics import LabelAccuracy

tf = pytest.importorskip("tensorflow")


def gray_epochs(reader, augment, seed=3):
    """Two epochs of a new reader."""
    arguments = {"image_size": 32, "augment": augment, "training": True}
    data = reader(gray(), 32, seed=seed, **arguments)
    return epoch(data), epoch(data)


#: Each reader compiles its steps anew: keep the epochs of the first of a kind.
first_epochs = functools.cache(gray_epochs)


@pytest.mark.once
@readers
@presets
def test_labels_stay_with_their_images(reader, augment):
    images, labels = gray()
    evaluation = epoch(reader((images, labels), 32, 32, augment))
    assert np.array_equal(evaluation[1], labels)
    for found, given in (evaluation, *first_epochs(reader, augment)):
        assert found.shape == (96, 32, 32, 3)
        assert found.dtype == np.float32
        assert given.dtype == labels.dtype
        assert np.array_equal(look(found, augment), given[:, 0])
        assert np.array_equal(labels[given[:, 1]], given)
        assert sorted(given[:, 1]) == list(range(96))
        shuffled = list(given[:, 1]) != list(range(96))
        assert shuffled is not (given is evaluation[1])


@pytest.mark.once
@readers
def test_each_image_of_a_batch_is_changed_on_its_own(reader):
    # There are only two kinds of images.
    assert len(np.unique(gray()[0], axis=0)) == 2
    for images, _ in first_epochs(reader, "webvision"):
        assert len(np.unique(images, axis=0)) > 50


@pytest.mark.once
@readers
@presets
def test_same_seed_gives_the_same_epochs(reader, augment):
    first, second = first_epochs(reader, augment)
    # Draws do not depend on any other state.
    keras.utils.set_random_seed(7)
    again = gray_epochs(reader, augment)
    assert same(first, again[0])
    assert same(second, again[1])
    assert not same(first, second)
    if augment is not None:
        # Not only the order differs.
        order = np.argsort(first[1][:, 1]), np.argsort(second[1][:, 1])
        assert not np.array_equal(first[0][order[0]], second[0][order[1]])


@pytest.mark.once
@readers
@pytest.mark.parametrize("augment", [None, "cifar"])
def test_another_seed_gives_other_epochs(reader, augment):
    first, second = first_epochs(reader, augment)
    for other in gray_epochs(reader, augment, seed=4):
        assert not np.array_equal(first[1], other[1])
        assert not np.array_equal(second[1], other[1])


@pytest.mark.once
@readers
@pytest.mark.parametrize("augment", ["cifar", "webvision"])
def test_precision_and_order_of_channels_change_nothing(reader, augment):
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        found = gray_epochs(reader, augment)
    finally:
        keras.config.set_image_data_format("channels_last")
    for one, two in zip(found, first_epochs(reader, augment), strict=True):
        assert one[0].dtype == np.float32
        assert same(one, two)


@pytest.mark.once
@readers
def test_evaluation_is_always_the_same_and_has_every_sample(reader, tmp_path):
    folder = folder_of(tmp_path)
    for augment in (None, "webvision"):
        data = reader(folder, 5, image_size=32, augment=augment)
        assert len(data) == 3
        first = epoch(data)
        assert same(first, epoch(data))
        assert np.array_equal(first[1], folder.labels)


@pytest.mark.once
@readers
def test_training_has_whole_batches_that_leave_out_others_each_time(reader):
    images, labels = gray(70)
    data = reader((images, labels[:, 1]), 32, training=True)
    assert len(data) == 2
    seen = [set(epoch(data)[1]) for _ in range(8)]
    assert all(len(part) == 64 for part in seen)
    assert len(set.union(*seen)) == 70


@pytest.mark.once
@readers
def test_shards_are_disjoint_and_together_everything(reader):
    images, labels = gray(50)
    for training in (False, True):
        parts = [
            reader(
                (images, labels[:, 1]),
                4,
                augment="cifar",
                training=training,
                shard=(index, 2),
            )
            for index in range(2)
        ]
        for _ in range(2):
            seen = [epoch(part)[1] for part in parts]
            everything = np.concatenate(seen)
            assert len(set(everything)) == len(everything)
            assert len(everything) == (48 if training else 50)
            if training:
                assert [len(part) for part in parts] == [6, 6]


@pytest.mark.once
@readers
def test_files_of_other_forms_are_read(reader, tmp_path):
    picture = photographs(1, 80, 100)[0]
    picture.save(tmp_path / "a.jpg", quality=98)
    picture.save(tmp_path / "b.jpg", "PNG")
    picture.convert("CMYK").save(tmp_path / "c.jpg", quality=98)
    picture.convert("L").save(tmp_path / "d.jpg", quality=98)
    picture.save(tmp_path / "e.jpg", quality=98)
    with open(tmp_path / "e.jpg", "ab") as file:
        file.write(b"bytes after the end")
    files = [str(tmp_path / f"{name}.jpg") for name in "abcde"]
    images = epoch(reader((files, np.zeros(5)), 5, (80, 100)))[0]
    wanted = np.asarray(picture) / 255
    for i in (0, 1, 2, 4):
        assert np.abs(images[i] - wanted).mean() < 0.015
    assert np.array_equal(images[3][..., 0], images[3][..., 2])
    for training in (False, True):
        found = epoch(
            reader((files, np.zeros(5)), 5, 16, "webvision", training)
        )[0]
        assert np.all(np.isfinite(found))


@pytest.mark.once
@readers
@pytest.mark.parametrize(
    ("damage", "training"),
    [
        ("truncated", True),
        ("truncated", False),
        ("empty", False),
        ("page", False),
        ("missing", False),
    ],
)
def test_a_broken_file_is_named(reader, damage, training, tmp_path):
    folder = folder_of(tmp_path)
    path = folder.files[7]
    with open(path, "rb") as file:
        whole = file.read()
    bad = {
        "truncated": whole[: len(whole) // 3],
        "empty": b"",
        "page": b"<html>Not found</html>",
    }
    if damage == "missing":
        folder.files[7] = path = path + ".gone"
    else:
        with open(path, "wb") as file:
            file.write(bad[damage])
    data = reader(folder, 4, 32, "webvision", training)
    errors = (tf.errors.OpError, ValueError, FileNotFoundError)
    with pytest.raises(errors) as error:
        epoch(data)
    assert "picture 7.jpg" in str(error.value)
    if damage != "missing":
        assert "Leave it out of the dataset" in str(error.value)


@pytest.mark.parametrize(
    ("reader", "memory"),
    [
        (pipeline, True),
        pytest.param(ImageDataset, False, marks=pytest.mark.once),
    ],
)
def test_a_model_learns_from_it(reader, memory):
    images, labels = gray(256, 16)
    loss = losses.ELR(256) if memory else losses.MAEStar()
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(2, activation="softmax")(x)
    if memory:
        outputs = loss.memory(outputs)
    model = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.Adam(0.1)
    model.compile(optimizer, loss, metrics=[LabelAccuracy()])
    labels = labels if memory else labels[:, 0]
    train = reader((images, labels), 32, augment="cifar", training=True)
    test = reader((images[:50], labels[:50]), 32, augment="cifar")
    history = model.fit(
        train, validation_data=test, epochs=6, shuffle=False, verbose=0
    )
    assert history.history["val_accuracy"][-1] == 1.0
    assert model.predict(test, verbose=0).shape == (50, 2)


IMAGES = np.zeros((8, 4, 4, 3), "uint8")


LABELS = np.zeros(8, "int64")


@pytest.mark.once
@readers
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size`. Expected an integer >= 1"),
        ({"batch_size": 2.5}, "`batch_size`"),
        ({"batch_size": 9, "training": True}, "one whole batch"),
        ({"image_size": 0}, "`image_size`. Expected an integer >= 1"),
        ({"image_size": (4, 4, 3)}, "Received: image_size=(4, 4, 3)"),
        ({"image_size": "224"}, "`image_size`"),
        ({"augment": "imagenet"}, 'Expected None, "cifar"'),
        ({"augment": 3}, "Received: augment=3"),
        ({"augment": keras.layers.RandomFlip}, "`augment`"),
        ({"training": 1}, "`training`. Expected True or False"),
        ({"seed": -1}, "`seed`. Expected an integer >= 0"),
        ({"seed": None}, "`seed`"),
        ({"shard": (2, 2)}, "`shard`. Expected (index, count)"),
        ({"shard": 2}, "Received: shard=2"),
        ({"shard": (7, 9), "training": True, "batch_size": 1}, "whole batch"),
        ({"dataset": (IMAGES, LABELS[:7])}, "as many labels as images"),
        ({"dataset": (IMAGES[:0], LABELS[:0])}, "at least one"),
        ({"dataset": (IMAGES / 255.0, LABELS)}, "(255 * images).round()"),
        ({"dataset": (IMAGES.astype(int), LABELS)}, "dtype int64"),
        ({"dataset": (IMAGES[0, 0], LABELS[:4])}, "Expected images"),
        ({"dataset": (IMAGES[None], LABELS[:1])}, "shape (8, 4, 4, 3)"),
        ({"dataset": (IMAGES[:, :0], LABELS)}, "(0, 4, 3)"),
        ({"dataset": IMAGES}, "a pair (images, labels)"),
        ({"dataset": (IMAGES, LABELS, LABELS)}, "a pair (images, labels)"),
        ({"dataset": [("a.jpg", 0)] * 3}, "images, labels = zip(*pairs)"),
        ({"dataset": (["a.jpg"], [0])}, "can differ in size"),
        ({"dataset": (["a.jpg"], [0]), "augment": "cifar"}, "`image_size`"),
        (
            {"dataset": (IMAGES[..., 0], LABELS), "augment": "cifar"},
            "for images of 3 channels",
        ),
    ],
    ids=str,
)
def test_bad_arguments_say_what_to_do(reader, arguments, message):
    arguments = {"dataset": (IMAGES, LABELS), "batch_size": 4, **arguments}
    with pytest.raises(ValueError) as error:
        reader(**arguments)
    assert message in str(error.value)


@pytest.mark.once
def test_paths_may_be_path_objects_and_deep_images_are_scaled(tmp_path):
    ramp = np.arange(256, dtype="uint16").reshape(16, 16) * 257
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    given = [tmp_path / "deep.png"], [0]
    expected = np.arange(256).reshape(16, 16, 1).repeat(3, axis=2) / 255
    for reader in (pipeline, ImageDataset):
        data = reader(given, batch_size=1, image_size=16)
        images, _ = data[0] if reader is ImageDataset else next(iter(data))
        np.testing.assert_allclose(images[0], expected, atol=1e-6)


@pytest.mark.once
def test_images_of_several_shapes_are_refused():
    images = [np.zeros((8, 8, 3), "uint8"), np.zeros((4, 8, 3), "uint8")]
    for reader in (pipeline, ImageDataset):
        with pytest.raises(ValueError, match="images of one shape, or the"):
            reader((images, [0, 1]), image_size=8)
