"""Folders of images, and the errors of the readers."""

import contextlib
import pathlib
import re
import warnings

import keras
import numpy as np
import pytest
from image_readers import readers
from PIL import Image

from keras_noisy.datasets import ImageDataset, ImageFiles, pipeline
from keras_noisy.datasets._samples import samples

tf = pytest.importorskip("tensorflow")
pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.once


def picture(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = "PNG" if path.suffix.lower() not in (".jpg", ".gif") else None
    Image.new("RGB", (6, 4), (level, 0, 0)).save(path, form)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


# Folders


NAMES = [
    "Zebra/1.jpg",
    "apple/10.jpg",
    "apple/2.jpg",
    "apple/B.JPG",
    "apple/deep/1.png",
    "apple/deep.er/0.png",
    "apple/deep/er/0.jpg",
    "apple/.hidden.png",
    "apple/notes.txt",
    "apple/photo.webp",
    "apple/no_ending",
    "apple/a.jpg.part",
    "b c/über 1.gif",
    ".git/x.jpg",
    "loose.jpg",
]


@pytest.fixture
def tree(tmp_path):
    for number, name in enumerate(NAMES):
        picture(tmp_path / name, number)
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize("names", [None, ["b c", "apple"]])
def test_a_folder_is_ordered_as_keras_orders_it(tree, names):
    theirs = keras.utils.image_dataset_from_directory(
        str(tree), class_names=names, shuffle=False, verbose=False
    )
    for path in (tree, str(tree), bytes(tree)):
        empty = pytest.warns(UserWarning, match="of 1 of the 4 .*: 'empty'")
        with empty if names is None else contextlib.nullcontext():
            ours = ImageFiles.from_directory(path, names)
        assert ours.files.tolist() == theirs.file_paths
        assert ours.class_names == theirs.class_names
        assert ours.num_classes == len(theirs.class_names)
        labels = [name.split("/")[0] for name in ours.class_names]
        for file, label in zip(ours.files, ours.labels, strict=True):
            folder = pathlib.Path(file).relative_to(tree).parts[0]
            assert labels[label] == folder
        assert len(ours) == (9 if names is None else 8)
        # Keras leaves this one out too, without a word.
        assert [*ours.skipped] == [str(tree / "apple/photo.webp")]


def test_a_folder_that_is_none_says_so(tree):
    picture(tree / "modern/class/photo.webp")
    both = [str(tree / "modern/class/photo.webp")], [0]
    assert len(ImageDataset(ImageFiles(*both), 1, image_size=4)[0][0]) == 1
    for path, error, message in (
        (tree / "nowhere", FileNotFoundError, "nowhere"),
        (tree / "loose.jpg", FileNotFoundError, "loose"),
        (tree / "Zebra", ValueError, "in a folder for each.*from_table`"),
        (tree / "modern", ValueError, r"1 images with.*pass `ImageFiles\("),
    ):
        with pytest.raises(error, match=message):
            ImageFiles.from_directory(path)
    for names in (["apple", "pear"], ["apple", "apple"]):
        with pytest.raises(ValueError, match=r"`class_names`.*Zebra"):
            ImageFiles.from_directory(tree, names)
    with pytest.raises(ValueError, match=r"`class_names`.*order"):
        ImageFiles.from_directory(tree, {"apple", "Zebra"})


def warned(call, *arguments):
    """What a call gives, and the texts and files of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call(*arguments)
    assert all(warning.filename == __file__ for warning in caught)
    return found, [str(warning.message) for warning in caught]


def test_a_class_without_images_keeps_its_number_and_is_named(tmp_path):
    train, test = tmp_path / "train", tmp_path / "test"
    for name in ("ape/1.png", "dog/1.png", "fox/1.png"):
        picture(train / name)
    (train / "cat").mkdir()
    picture(test / "dog/1.png")
    files, texts = warned(ImageFiles.from_directory, train)
    assert files.labels.tolist() == [0, 2, 3]
    assert len(texts) == 1
    assert "1 of the 4 classes" in texts[0] and ": 'cat'." in texts[0]
    assert "same `class_names`" in texts[0]
    assert warned(ImageDataset, train, 1, 4)[1] == texts
    assert warned(files.check, 1)[1] == []
    of_test, texts = warned(ImageFiles.from_directory, test, files.class_names)
    assert of_test.labels.tolist() == [2]
    assert of_test.class_names == files.class_names
    assert len(texts) == 1 and ": 'ape', 'cat', 'fox'. " in texts[0]
    assert "if a name is misspelled" in texts[0]
    picture(test / "FOXX/1.png")
    with pytest.raises(ValueError, match="folder 'FOXX' the class 'fox'"):
        ImageFiles.from_directory(test, files.class_names)
    (test / "FOXX").rename(test / "dgo")
    with pytest.raises(ValueError, match="folder 'dgo' the class 'dog'"):
        ImageFiles.from_directory(test, files.class_names)
    message = "folder 'f\u00fcx' the class 'fu\\u0308x'?"
    (test / "dgo").rename(test / "f\u00fcx")
    with pytest.raises(ValueError, match=re.escape(message)):
        ImageFiles.from_directory(test, ["dog", "fu\u0308x"])
    # A part of the folders, each of which is a class.
    found, texts = warned(ImageFiles.from_directory, train, ["fox", "ape"])
    assert (found.labels.tolist(), texts) == ([0, 1], [])


# Readers


def batch(reader, dataset, **arguments):
    arguments = {"batch_size": 8, "image_size": (4, 6), **arguments}
    data = reader(dataset, **arguments)
    images, labels = data[0] if reader is ImageDataset else next(iter(data))
    return np.asarray(images), np.asarray(labels)


@pytest.fixture
def photos(tmp_path):
    """Pictures in folders, and lists of them in another order."""
    names = ["y/1.png", "x/1.png", "x/2.png"]
    for level, name in zip((30, 10, 20), names, strict=True):
        picture(tmp_path / "photos" / name, level)
    rows = [f"photos/{name},{name[0]}" for name in names]
    write(tmp_path / "list.csv", "\n".join(["file,label", *rows]))
    paths = [tmp_path / "photos" / name for name in names]
    labels = [name[0] for name in names]
    frame = pandas.DataFrame({"path": paths, "label": labels}, index=[2, 0, 1])
    return tmp_path, frame


@readers
def test_readers_take_folders_and_tables_directly(reader, photos):
    root, frame = photos
    for dataset, levels in (
        (root / "photos", [10, 20, 30]),
        (frame, [30, 10, 20]),
    ):
        images, labels = batch(reader, dataset)
        assert np.rint(255 * images[:, 0, 0, 0]).tolist() == levels
        assert labels.tolist() == [int(level > 20) for level in levels]
    with pytest.raises(FileNotFoundError, match="folder for each class"):
        reader(str(root / "nowhere"), image_size=4)


def test_paths_of_every_container_are_paths(photos):
    root, frame = photos
    paths = [*frame["path"]]
    names = [str(path) for path in paths]
    for dataset in (
        root / "list.csv",
        str(root / "list.csv"),
        ImageFiles(paths, frame["label"]),
        {"path": paths, "label": [1, 0, 0]},
        (frame["path"], frame["label"] == "y"),
        (np.array(names), [1, 0, 0]),
        (np.array(names, object), [1, 0, 0]),
        (np.array([bytes(path) for path in paths]), [1, 0, 0]),
        (tuple(paths), np.array([1, 0, 0], object)),
        (pandas.Series(names, dtype="string"), [1, 0, 0]),
    ):
        found = samples(dataset)
        assert found.are_files
        assert found.images.tolist() == names
        assert found.labels.tolist() == [1, 0, 0]
    for folder in (root / "photos", ImageFiles.from_directory(root / "photos")):
        assert samples(folder).images.tolist() == sorted(names)
        assert samples(folder).labels.tolist() == [0, 0, 1]


def test_check_leaves_out_what_cannot_be_read(tmp_path, capsys):
    for name in ("x/1.png", "x/2.png", "y/1.png"):
        picture(tmp_path / name)
    write(tmp_path / "x/3.png", "<html>")
    given = ImageFiles.from_directory(tmp_path)
    (tmp_path / "y/1.png").unlink()
    with pytest.warns(UserWarning, match="1 of the 2 classes .* 'y'"):
        checked = given.check(workers=1)
    assert checked.labels.tolist() == [0, 0]
    assert checked.skipped == {
        str(tmp_path / "x/3.png"): "no image (6 bytes)",
        str(tmp_path / "y/1.png"): "missing",
    }
    assert given.skipped == {} and len(given) == 4
    assert checked.num_classes == 2
    assert repr(checked) == "<ImageFiles: 2 images, 2 skipped, 2 classes>"
    assert len(batch(pipeline, checked)[1]) == 2
    assert checked.check().skipped == checked.skipped
    assert "4/4" in capsys.readouterr().out
    with pytest.raises(ValueError, match="`workers`"):
        given.check(workers=0)
    with pytest.raises(ValueError, match=r"2 files.*a\.png: missing.*relative"):
        ImageFiles(["a.png", "b.png"], [0, 1]).check()


def test_a_path_of_another_system_is_named(tmp_path, capsys):
    apart, joined = "u\u0308.png", "\u00fc.png"
    for name in ("b/a.png", f"c/{apart}", f"d/{joined}"):
        picture(tmp_path / name)
    for path, advice in (
        (rf"{tmp_path}\b\a.png", "b/a.png exists: write / instead"),
        (f"{tmp_path}/c/{joined}", r"/u\u0308.png' exists, in another form"),
        (f"{tmp_path}/d/{apart}", 'unicodedata.normalize("NFC", path)'),
    ):
        files = ImageFiles([path], [0])
        with pytest.raises(ValueError, match=re.escape(advice)):
            files.check(1)
        with pytest.raises(FileNotFoundError, match=re.escape(advice)):
            ImageDataset(files, 1, image_size=4)[0]


# Errors of the readers


IMAGES = np.arange(4 * 6 * 8 * 3, dtype="uint8").reshape(4, 6, 8, 3)
LABELS = np.arange(4)


@readers
@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES / 255, LABELS, "(255 * images).round()"),
        (IMAGES * 1.0, LABELS, '`images.round().astype("uint8")`'),
        (IMAGES.astype("int32"), LABELS, '`images.astype("uint8")`'),
        (IMAGES / 127.5 - 1, LABELS, "before they were standardized"),
        (IMAGES.astype("uint16") * 257, LABELS, "(images >> 8)"),
        (IMAGES > 7, LABELS, '`255 * images.astype("uint8")`'),
        (IMAGES.transpose(0, 3, 1, 2), LABELS, "np.moveaxis(images, -3, -1)"),
        (IMAGES[:, None, ..., 0], LABELS, "channels come first"),
        (IMAGES.reshape(4, -1), LABELS, "have 1 axes"),
        (IMAGES[None], LABELS[:1], "have 4 axes"),
        ([IMAGES[0], IMAGES[1, :3]], [0, 1], "(6, 8, 3), (3, 8, 3)"),
        (["a.jpg", None], [0, 1], "None at position 1"),
        (["a.jpg", IMAGES[0]], [0, 1], "shape (6, 8, 3) at position 1. Pass"),
        ([1, 2], [0, 1], "dtype int64"),
        (IMAGES, list("abcd"), "np.unique(labels, return_inverse=True)"),
        (IMAGES, np.array(list("abcd"), object), "np.unique(labels"),
        (IMAGES, [0, 1, None, 2], "labels[2]=None"),
        (IMAGES, [0.0, 1.0, np.nan, np.inf], "labels[2]=nan (2 of 4)"),
        (IMAGES, np.full((4, 3), np.nan), "write -1 for what is unknown"),
        (IMAGES, [0, 1, 2, -(2**63)], "labels[3]=-9223372036854775808"),
        (IMAGES, np.array([0, 2**32, 1, 2], "uint64"), "labels[1]"),
        (IMAGES, np.array([0, 2**31, 1, 2], "uint32"), "labels[1]"),
        (IMAGES, np.zeros((4, 6, 8), int), "labels.shape=(4, 6, 8)"),
        (IMAGES, 3, "`labels`"),
        (IMAGES, np.array(LABELS, "datetime64[s]"), "datetime64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cause_and_the_remedy_are_named(reader, images, labels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        reader((images, labels), 2, image_size=4)


@readers
def test_columns_of_arrays_are_told_from_paths(reader):
    for images in (IMAGES, list(IMAGES)):
        table = {"image": images, "label": LABELS}
        with pytest.raises(ValueError, match=r"shape \(6, 8, 3\)") as error:
            reader(table, 2)
        assert len(str(error.value)) < 300


@readers
def test_weights_are_refused(reader):
    with pytest.raises(ValueError, match=r"third part out.*weights"):
        reader((IMAGES, LABELS, np.ones(4)), 2)


@readers
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([True, False, True, True]), [1, 0, 1, 1]),
        (np.array([3, 0, 2, 1], object), [3, 0, 2, 1]),
        (pandas.Series([3, 0, 2, 1], index=[3, 2, 1, 0]), [3, 0, 2, 1]),
        ([np.array([0.5, 0.5])] * 4, [[0.5, 0.5]] * 4),
        (pandas.Series([[0, 1]] * 4), [[0, 1]] * 4),
        ([[-1], [2**31 - 1], [-(2**31)], [0]], None),
    ],
    ids=["bool", "objects", "series", "soft", "column of lists", "wide"],
)
def test_labels_of_every_container_stay_with_their_images(
    reader, labels, expected
):
    images, found = batch(reader, (IMAGES, labels), image_size=None)
    assert found.tolist() == (labels if expected is None else expected)
    assert np.allclose(255 * images, IMAGES, atol=1e-4)
    shuffled = pandas.Series([*IMAGES], index=[3, 1, 0, 2])
    assert np.array_equal(
        batch(reader, (shuffled, LABELS), image_size=None)[0], images
    )


def elements(images, labels):
    return tf.data.Dataset.from_tensor_slices((images, labels))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (elements(IMAGES, LABELS).batch(2), "`.unbatch()`"),
        (elements(IMAGES[..., 0], LABELS).batch(2), "`.unbatch()`"),
        (elements(["a", "b"], [0, 1]).batch(2), "`.unbatch()`"),
        (elements(IMAGES * 1.0, LABELS).batch(2), "tf.cast(tf.round(image)"),
        (elements(IMAGES * 1.0, LABELS), "tf.cast(tf.round(image)"),
        (
            elements(IMAGES.transpose(0, 3, 1, 2), LABELS),
            "channels come first",
        ),
        (elements(IMAGES, list("abcd")), "StringLookup"),
        (
            elements(IMAGES, LABELS).map(lambda x, y: (x, y, 1.0)),
            "third part out",
        ),
        (
            elements(IMAGES, LABELS).map(lambda x, y: (x, {"a": y})),
            "one label",
        ),
        (
            elements(IMAGES, LABELS).map(
                lambda x, y: (tf.numpy_function(abs, [x], tf.uint8), y)
            ),
            "tf.ensure_shape(image, (None, None, 3))",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_elements_of_another_kind_are_refused(dataset, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pipeline(dataset, 2, image_size=4)


@pytest.mark.parametrize("dtype", ["int64", "uint32", "uint64"])
def test_labels_of_a_dataset_are_brought_to_32_bits(dtype):
    wide = {"int64": [-(2**63), 2**32, -1, 5]}
    labels = np.array(wide.get(dtype, [2**31, 2**32 - 1, 0, 5]), dtype)
    expected = np.clip(labels.astype(float), -(2**31), 2**31 - 1)
    found = batch(pipeline, elements(IMAGES, labels), image_size=None)[1]
    assert found.dtype == dtype
    assert found.tolist() == expected.tolist()
    given = elements(IMAGES, [True, False, True, True])
    assert batch(pipeline, given)[1].tolist() == [1, 0, 1, 1]
