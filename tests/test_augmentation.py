"""Both readers augment images as the papers do."""

import keras
import numpy as np
import pytest
import real_data
from image_readers import (
    READERS,
    Folder,
    epoch,
    folder_of,
    gray,
    photographs,
    readers,
)
from PIL import Image

from keras_noisy.datasets import _arrays, _augmentation, _graph, pipeline
from keras_noisy.datasets._reader import Reader

tf = pytest.importorskip("tensorflow")


@pytest.mark.once
@readers
def test_cifar_crops_are_uniform_over_81_places_and_two_directions(reader):
    count, side = 8100, 20
    images = np.zeros((count, side, side, 3), "uint8")
    images[:, 10, 9] = 255
    images[:, 10, 10] = 128
    data = reader((images, np.zeros(count)), 900, None, "cifar", training=True)
    red = epoch(data)[0][..., 0]
    brightest = np.argmax(red.reshape(count, -1), axis=1)
    rows, columns = np.divmod(brightest, side)
    beside = red[np.arange(count), rows, columns + 1]
    flipped = beside < red.mean(axis=(1, 2)) + 0.5
    columns = np.where(flipped, side - 1 - columns, columns)
    assert abs(flipped.mean() - 0.5) < 0.03
    places = np.stack([rows - 10, columns - 9])
    assert places.min() == -4
    assert places.max() == 4
    counts = np.unique(places, axis=1, return_counts=True)[1]
    assert len(counts) == 81
    # Chi-square of 80 degrees of freedom: above 125 once in a thousand.
    assert np.sum((counts - 100.0) ** 2) / 100 < 125


def paper_box(height, width, generator):
    """Random resized crop as published, one draw after the other."""
    while True:
        area = height * width * generator.uniform(0.08, 1)
        ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)))
        box = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
        if box[0] <= height and box[1] <= width:
            top = generator.integers(height - box[0] + 1)
            return top, generator.integers(width - box[1] + 1), *box


def boxes_of(shape, draws):
    size = 224, 224
    return np.array(
        [_augmentation.box(shape, size, "webvision", d, np) for d in draws]
    )


@pytest.mark.once
@pytest.mark.parametrize("shape", [(256.0, 341.0), (500.0, 300.0)])
def test_boxes_are_drawn_as_the_papers_do(shape):
    generator = np.random.default_rng(0)
    boxes = boxes_of(shape, generator.random((6000, 4, 10)))
    wanted = np.array([paper_box(*shape, generator) for _ in range(6000)])
    quantiles = np.linspace(0, 1, 11)
    for part in (
        lambda box: box[2] * box[3] / np.prod(shape),
        lambda box: box[3] / box[2],
        lambda box: (box[0] + box[2] / 2) / shape[0],
        lambda box: (box[1] + box[3] / 2) / shape[1],
    ):
        found = np.quantile(part(boxes.T), quantiles)
        assert np.allclose(
            found, np.quantile(part(wanted.T), quantiles, axis=0), atol=0.03
        )


@pytest.mark.once
@pytest.mark.parametrize(
    "shape", [(256.0, 341.0), (40.0, 400.0), (400.0, 41.0), (1.0, 1.0)]
)
def test_boxes_lie_inside_of_any_image(shape):
    draws = np.random.default_rng(0).random((500, 4, 10))
    boxes = boxes_of(shape, draws)
    top, left, height, width = boxes.T
    assert np.array_equal(boxes, np.round(boxes))
    assert min(top.min(), left.min()) >= 0
    assert min(height.min(), width.min()) >= 1
    assert np.all(top + height <= shape[0])
    assert np.all(left + width <= shape[1])
    # Except for rounding to whole pixels.
    assert np.all(width <= 4 / 3 * height + 1.2)
    assert np.all(height <= 4 / 3 * width + 1.2)


@pytest.mark.once
def test_boxes_are_the_same_in_numpy_and_tensorflow():
    draws = np.random.default_rng(0).random((20, 4, 10))
    for shape in ((256.0, 341.0), (40.0, 400.0)):
        sides = tuple(tf.constant(side, tf.float64) for side in shape)
        for each, wanted in zip(draws, boxes_of(shape, draws), strict=True):
            box = _augmentation.box(
                sides, (224, 224), "webvision", tf.constant(each), tf
            )
            assert [float(number) for number in box] == list(wanted)


@pytest.mark.once
@readers
def test_evaluation_takes_the_center_as_the_papers_do(reader, tmp_path):
    folder = folder_of(tmp_path)
    pictures = [*photographs(3, 256, 300), *photographs(3, 200, 300)]
    for file, picture in zip(folder.files, pictures, strict=False):
        picture.save(file, "PNG")
    folder = Folder(folder.files[:6], folder.labels[:6])
    images = epoch(reader(folder, 12, augment="webvision"))[0]
    assert images.shape == (6, 224, 224, 3)
    scale, offset = _augmentation.scale_and_offset("webvision")
    images = (images - offset) / scale * 255
    for image, picture in zip(images, pictures, strict=True):
        ratio = 256 / min(picture.size)
        width, height = (round(side * ratio) for side in picture.size)
        left, top = (width - 224) // 2, (height - 224) // 2
        wanted = picture.resize((width, height), Image.Resampling.BILINEAR)
        wanted = wanted.crop((left, top, left + 224, top + 224))
        # Exact except a box of whole pixels, where the picture is resized.
        atol = 0.01 if min(picture.size) == 256 else 4
        assert np.abs(image - np.asarray(wanted)).mean() < atol


@pytest.mark.once
def test_both_readers_give_the_same_evaluation(tmp_path):
    folder = folder_of(tmp_path)
    for arguments in (
        {"image_size": 224, "augment": None},
        {"image_size": (48, 96), "augment": None},
        {"image_size": 64, "augment": "webvision"},
        {"image_size": (100, 40), "augment": "webvision"},
        {"image_size": 32, "augment": "cifar"},
    ):
        one, two = (
            epoch(reader(folder, 6, **arguments)) for reader in READERS.values()
        )
        assert np.array_equal(one[1], two[1])
        scale = _augmentation.scale_and_offset(arguments["augment"])[0]
        # Pillow rounds to whole levels.
        difference = np.abs(one[0] - two[0]) / scale * 255
        assert difference.max() < 4
        assert difference.mean() < 0.4


@pytest.mark.once
def test_both_readers_change_colors_alike():
    picture = photographs(4, 24, 24)[3]
    count, size = 800, (24, 24)
    reader = Reader(1, None, "webvision", True, 0, None, (0, 0))
    step = _graph.finish(tf, reader, size)
    images = np.tile(np.asarray(picture), (count, 1, 1, 1))
    key = tf.constant([1, 2])
    changed, _ = step(tf.constant(images), tf.zeros(count), key)
    scale, offset = _augmentation.scale_and_offset("webvision")
    draws = np.random.default_rng(0).random((count, 4))
    statistics = []
    for images in (
        (changed.numpy() - offset) / scale,
        np.stack([np.asarray(_arrays.jittered(picture, d)) for d in draws])
        / 255,
    ):
        assert images.min() > -1e-6
        assert images.max() < 1 + 1e-6
        chroma = images.max(axis=-1) - images.min(axis=-1)
        of_each = [
            images.mean(axis=(1, 2, 3)),
            images.std(axis=(1, 2)).mean(axis=-1),
            chroma.mean(axis=(1, 2)),
            (images[..., 0] - images[..., 2]).mean(axis=(1, 2)),
            (images[..., 1] - images[..., 2]).mean(axis=(1, 2)),
        ]
        statistics.append(np.quantile(of_each, np.linspace(0.05, 0.95, 7), 1))
    spread = statistics[0][-1] - statistics[0][0]
    assert np.all(spread > 0.05)
    difference = np.abs(statistics[0] - statistics[1]).max(axis=0)
    assert np.all(difference < 0.1 * spread)


@pytest.mark.once
@readers
def test_presets_standardize(reader):
    images = real_data.cifar100_images("test", 2000)
    for augment in ("cifar", "cifar100"):
        found = epoch(reader((images, np.zeros(2000)), 500, augment=augment))[0]
        exact = augment == "cifar100"
        assert np.all(np.abs(found.mean(axis=(0, 1, 2))) < 0.1)
        assert np.all(np.abs(found.std(axis=(0, 1, 2)) - 1) < 0.15)
        if exact:
            mean = np.array([0.5071, 0.4865, 0.4409])
            std = np.array([0.2673, 0.2564, 0.2762])
            wanted = (images[:500] / 255 - mean) / std
            assert np.allclose(found[:500], wanted, atol=1e-4)


@pytest.mark.once
@readers
def test_images_without_a_preset_are_from_0_to_1(reader):
    images = np.arange(256, dtype="uint8").reshape(4, 8, 8)
    found, labels = epoch(reader((images, np.array([7, 5, 3, 1])), 3))
    assert np.allclose(found, images[..., None] / 255, atol=1e-7)
    assert labels.tolist() == [7, 5, 3, 1]
    resized = epoch(reader((images, np.zeros(4)), 4, (4, 16)))[0]
    assert resized.shape == (4, 4, 16, 1)
    assert resized.mean() == pytest.approx(images.mean() / 255, abs=0.01)


@readers
def test_a_layer_of_the_users_changes_training_alone(reader):
    images, labels = gray(32, 8)
    labels = labels[:, 0]
    layer = keras.layers.RandomBrightness((0.1, 0.2), seed=1, dtype="float16")
    data = reader((images, labels), 16, augment=layer, training=True)
    found, given = epoch(data)
    assert found.dtype == np.float32
    levels = found.mean(axis=(1, 2, 3)) * 255
    assert np.array_equal(levels > 160, given == 1)
    added = levels - np.where(given == 1, 192, 64)
    assert 25 < added.min() < added.max() < 51.5
    assert len(np.unique(added)) > 20
    for augment in (layer, lambda x: x + 10.0):
        found = epoch(reader((images, labels), 16, augment=augment))[0]
        assert np.allclose(found, images / 255)
    data = reader(
        (images, labels), 16, augment=lambda x: x + 10.0, training=True
    )
    found, given = epoch(data)
    wanted = np.where(given == 1, 202, 74) / 255
    assert np.allclose(found.mean(axis=(1, 2, 3)), wanted, atol=1e-5)
    for wrong, message in (
        (lambda x: x[:, :4], "keep the shape"),
        (lambda x: None, "return images.*NoneType"),
    ):
        with pytest.raises(ValueError, match=message):
            epoch(reader((images, labels), 16, augment=wrong, training=True))


@pytest.mark.once
def test_functions_of_numpy_set_their_shape_in_a_pipeline():
    images, labels = gray(4, 8)[0], [0, 1, 1, 0]

    def same(*batch):
        types = [part.dtype for part in batch[:2]]
        return tf.numpy_function(lambda *given: given[:2], batch, types)

    for name, function in (("augment", lambda x: same(x)[0]), ("mix", same)):
        with pytest.raises(ValueError, match=f"(?s){name}.*tf.ensure_shape"):
            pipeline((images, labels), 4, training=True, **{name: function})
