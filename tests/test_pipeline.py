"""The tf.data pipeline, of data sets of TensorFlow."""

import numpy as np
import pytest
from image_readers import epoch, gray, look, same
from PIL import Image
from webvision_tree import encoded

from keras_noisy._start import Start
from keras_noisy.datasets import pipeline

tf = pytest.importorskip("tensorflow")


def as_dataset(kind, images, labels):
    from_slices = tf.data.Dataset.from_tensor_slices
    if kind == "dictionary":
        return from_slices({"image": images, "label": labels, "id": labels})
    if kind == "pair":
        return from_slices((images, labels))
    pngs = [encoded(Image.fromarray(image), "PNG") for image in images]
    return from_slices({"image": pngs, "label": labels})


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "augment"),
    [("dictionary", "cifar"), ("pair", None), ("encoded", "cifar")],
)
def test_a_dataset_of_tensorflow_is_the_same_as_arrays(kind, augment):
    images, labels = gray(40)
    given = as_dataset(kind, images, labels)
    arguments = {"image_size": 32, "augment": augment}
    wanted = epoch(pipeline((images, labels), 16, **arguments))
    assert same(epoch(pipeline(given, 16, **arguments)), wanted)
    train, again = (
        pipeline(given, 16, training=True, **arguments) for _ in range(2)
    )
    assert len(train) == 2
    first, second = epoch(train), epoch(train)
    assert not same(first, second)
    assert same(first, epoch(again))
    assert same(second, epoch(again))
    for found, pairs in (first, second):
        assert np.array_equal(look(found, augment), pairs[:, 0])
        assert np.array_equal(labels[pairs[:, 1]], pairs)


@pytest.mark.once
def test_shards_of_a_dataset_of_tensorflow_are_disjoint():
    images, labels = gray(42)
    given = as_dataset("pair", images, labels)
    for training, count in ((True, 36), (False, 42)):
        parts = [
            pipeline(given, 3, training=training, shard=(index, 3))
            for index in range(3)
        ]
        seen = np.concatenate([epoch(part)[1][:, 1] for part in parts])
        assert len(seen) == len(set(seen)) == count


@pytest.mark.once
def test_a_dataset_of_unknown_size_can_be_read_but_not_sharded():
    images, labels = gray(40)
    given = as_dataset("pair", images, labels)
    given = given.filter(lambda image, label: label[1] < 35)
    assert len(epoch(pipeline(given, 16))[1]) == 35
    assert len(epoch(pipeline(given, 16, training=True))[1]) == 32
    with pytest.raises(ValueError, match="assert_cardinality"):
        pipeline(given, 16, training=True, shard=(0, 2))
    endless = as_dataset("pair", images, labels).repeat()
    assert len(epoch(pipeline(endless, 16, training=True).take(9))[1]) == 144


IMAGES = np.zeros((8, 4, 4, 3), "uint8")


LABELS = np.zeros(8, "int64")


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda d: d.batch(4), "`.unbatch()`"),
        (lambda d: d.map(lambda x, y: x), "elements (image, label)"),
        (lambda d: d.map(lambda x, y: {"image": x}), "elements (image, label)"),
        (lambda d: d.map(lambda x, y: (x / 255, y)), "dtype float32"),
        (lambda d: d.take(0), "0 samples"),
        (
            lambda d: d.map(lambda x, y: (tf.io.encode_png(x), y)),
            "can differ in size",
        ),
    ],
)
def test_bad_datasets_of_tensorflow_say_what_to_do(given, message):
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    with pytest.raises(ValueError) as error:
        pipeline(given(dataset), 4)
    assert message in str(error.value)


@pytest.mark.once
def test_a_look_at_a_batch_counts_as_an_epoch_and_nothing_more():
    images, labels = gray(64)
    one, two = (
        pipeline((images, labels), 8, augment="cifar", training=True)
        for _ in range(2)
    )
    next(iter(one))
    epoch(two)
    assert same(epoch(one), epoch(two))


@pytest.mark.once
def test_a_dataset_of_tensorflow_cannot_start_in_another_epoch():
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    for start in ((1, 0), Start((0, 0))):
        with pytest.raises(ValueError, match=r"`start`.*Give arrays or"):
            pipeline(dataset, 4, training=True, start=start)


@pytest.mark.once
@pytest.mark.parametrize(
    ("augment", "shard"), [("cifar", (1, 2)), ("webvision", None)]
)
def test_a_later_start_gives_the_very_same_batches(augment, shard):
    arguments = {
        "augment": augment,
        "image_size": 16 if augment == "webvision" else None,
        "training": True,
        "seed": 5,
        "shard": shard,
    }
    given = gray(75, 16)
    whole = pipeline(given, 8, **arguments)
    count = len(whole)
    wanted = [list(whole.as_numpy_iterator()) for _ in range(4)]
    data = pipeline(given, 8, start=(2, 3), **arguments)
    assert len(data) == count
    for batches in (wanted[2][3:], wanted[3]):
        found = list(data.as_numpy_iterator())
        assert len(found) == len(batches)
        for one, two in zip(found, batches, strict=True):
            assert same(one, two)


@pytest.mark.once
def test_what_is_before_the_start_is_not_decoded(tmp_path):
    files = [str(tmp_path / f"{i}.png") for i in range(12)]
    for file in files[8:]:
        Image.new("RGB", (4, 4)).save(file)
    # There are no files but the last four.
    data = pipeline((files, np.arange(12)), 4, 4, start=(0, 2))
    ((_, labels),) = data.as_numpy_iterator()
    assert labels.tolist() == [8, 9, 10, 11]


@pytest.mark.once
@pytest.mark.parametrize(
    "start", [(0, 2), (-1, 0), (0, 1.5), 3, None, (1, 2, 3)]
)
def test_a_bad_start_is_refused(start):
    with pytest.raises(ValueError, match="argument `start`"):
        pipeline((IMAGES, LABELS), 4, start=start)
