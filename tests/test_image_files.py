"""Folders and tables of images, and the errors of the readers."""

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
    for path in (tree, str(tree)):
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
    for path, error, message in (
        (tree / "nowhere", FileNotFoundError, "nowhere"),
        (tree / "loose.jpg", FileNotFoundError, "loose"),
        (tree / "Zebra", ValueError, "in a folder for each"),
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
    # A part of the folders, each of which is a class.
    found, texts = warned(ImageFiles.from_directory, train, ["fox", "ape"])
    assert (found.labels.tolist(), texts) == ([0, 1], [])


# Tables


FRAME = {
    "path": ["c.png", "a.png", "b.png"],
    "label": ["pear", "fig", "pear"],
}


def tables():
    frame = pandas.DataFrame(FRAME)
    yield "dictionary", FRAME
    yield "frame", frame
    # Its index has another order than the rows.
    yield "shuffled index", frame.set_index(pandas.Index([2, 0, 1]))
    yield "repeated index", frame.set_index(pandas.Index([7, 7, 7]))
    yield "categories", frame.astype({"label": "category"})
    yield "strings", frame.astype("string")
    paths = [pathlib.PurePath(path) for path in FRAME["path"]]
    yield "paths", frame.assign(path=paths)
    yield "arrays", {key: np.array(value) for key, value in FRAME.items()}


@pytest.mark.parametrize(
    "table", [table for _, table in tables()], ids=[k for k, _ in tables()]
)
def test_a_table_is_read_by_position(table):
    found = ImageFiles.from_table(table)
    assert found.files.tolist() == FRAME["path"]
    assert found.labels.tolist() == [1, 0, 1]
    assert found.labels.dtype == "int64"
    assert found.class_names == ["fig", "pear"]
    found = ImageFiles.from_table(table, class_names=["pear", "kiwi", "fig"])
    assert found.labels.tolist() == [0, 2, 0]
    assert found.num_classes == 3
    rooted = ImageFiles.from_table(table, "path", "label", root="photos")
    assert rooted.files.tolist() == [f"photos/{name}.png" for name in "cab"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([3, 0, 1]), [3, 0, 1]),
        (np.array([True, False, True]), [1, 0, 1]),
        ([2.0, 0.0, 1.0], [2, 0, 1]),
        (np.array([2, 0, True], dtype=object), [2, 0, 1]),
        (pandas.array([2, 0, 1], dtype="Int64"), [2, 0, 1]),
        (np.array([[5], [0], [1]]), [5, 0, 1]),
        ([-1, 0, 4], [-1, 0, 4]),
    ],
    ids=str,
)
def test_numbers_stay_numbers(labels, expected):
    found = ImageFiles(FRAME["path"], labels)
    assert found.labels.tolist() == expected
    assert found.class_names is None
    assert found.num_classes == max(expected) + 1


CSV = {
    "plain": "path,label\nc.png,pear\na.png,fig\nb.png,pear\n",
    "byte order mark": "\ufeffpath,label\nc.png,pear\na.png,fig\nb.png,pear",
    "windows": "path,label\r\nc.png,pear\r\na.png,fig\r\nb.png,pear\r\n",
    "other columns": "id,label,path\n1,pear,c.png\n2,fig,a.png\n3,pear,b.png\n",
    "quotes": '"path","label"\n"c.png","pear"\n"a.png","fig"\nb.png,"pear"\n',
    "spaces": 'path , label\nc.png,  pear \n a.png,fig\n"b.png", "pear"\n',
    "empty lines": "\n\npath,label\n\nc.png,pear\na.png,fig\n\nb.png,pear\n\n",
    "an empty line first": "\npath;label\nc.png;pear\na.png;fig\nb.png;pear\n",
    "semicolons": "path;label\nc.png;pear\na.png;fig\nb.png;pear\n",
    "tabs": "path\tlabel\nc.png\tpear\na.png\tfig\nb.png\tpear\n",
}


@pytest.mark.parametrize("kind", CSV)
def test_a_csv_file_is_read(tmp_path, kind):
    file = write(tmp_path / "list.csv", CSV[kind])
    for path in (file, str(file)):
        found = ImageFiles.from_table(path)
        names = [str(tmp_path / name) for name in FRAME["path"]]
        assert found.files.tolist() == names
        assert found.labels.tolist() == [1, 0, 1]
        assert found.class_names == ["fig", "pear"]


def test_names_and_numbers_of_a_csv_file(tmp_path):
    file = write(
        tmp_path / "list.csv",
        'image,class\n"a, b.png","pear, ""green"""\n/x/c.png,Äpfel\n',
    )
    found = ImageFiles.from_table(file, root="/photos")
    assert found.files.tolist() == ["/photos/a, b.png", "/x/c.png"]
    assert found.class_names == ['pear, "green"', "Äpfel"]
    for text, expected, names in (
        ("10\n9\n", [10, 9], None),
        ("-1\n2.0\n", [-1, 2], None),
        ("1\nten\n", [0, 1], ["1", "ten"]),
        ("1_0\n0_1\n", [1, 0], ["0_1", "1_0"]),
        ("True\nFalse\n", [1, 0], ["False", "True"]),
    ):
        cells = text.split()
        rows = [f"{i}.png,{cell}" for i, cell in enumerate(cells)]
        write(file, "\n".join(["image,class", *rows]))
        found = ImageFiles.from_table(file)
        assert found.labels.tolist() == expected
        assert found.class_names == names
    found = ImageFiles.from_table(file, class_names=["True", "False"])
    assert found.labels.tolist() == [0, 1]
    write(file, "image,class\na.png,1\nb.png,0\n")
    for names, expected in ((["fig", "pear"], [1, 0]), (["1", "0"], [0, 1])):
        found = ImageFiles.from_table(file, class_names=names)
        assert (found.labels.tolist(), found.class_names) == (expected, names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,1\n,2\n", "line 3 of .*list.csv"),
        ("path,label\n\na.png,\nb.png,\n", r"'label'.*line 3 .*\(2 of 2"),
        ("path,label\na.png,1\nb.png,nan\n", r"labels\[1\]=nan"),
        ("path,label\na.png,1,2\n", "Received: 3 in line 2"),
        ("path,label\na.png\n", "Received: 1 in line 2"),
        ("path,label\n", "1 lines"),
        ("", "0 lines"),
        ('path,label\n"a.png,1\n', "CSV file in UTF-8"),
        ("a.png,0\nb.png,1\n", r"`path`.*columns \['a.png', '0'\]"),
        ("path,file,label\na,b,1\n", r"`path`.*columns \['path', 'file'"),
        ("path,label,label\na,b,1\n", "'label' twice"),
    ],
)
def test_a_wrong_csv_file_is_an_error(tmp_path, text, message):
    file = write(tmp_path / "list.csv", text)
    with pytest.raises(ValueError, match=message):
        ImageFiles.from_table(file)


SHAPES = ["circle"] * 20 + ["square"] * 20 + ["star"] * 3


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (
            ["circel", "Circle", "nan", "NA"],
            [
                "4 of the 7 class names",
                "labels[43]='circel', perhaps 'circle'",
                "labels[44]='Circle', perhaps 'circle'",
                "labels[45]='nan', perhaps a missing label",
                "pass `class_names=`",
            ],
        ),
        (["circles"], ["labels[43]='circles', perhaps 'circle'"]),
        (["squere", "crcle"], ["'square'", "'circle'"]),
        (["Star"] * 3, ["1 of the 4", "'Star', perhaps 'star'"]),
        # A long tail, a small class, two images, digits, and single letters.
        (["moon", "sun", "none"], None),
        (["stars"], None),
        (["circel"] * 2, None),
        (["cat 1"] * 20 + ["cat 2", "cat 12"], None),
        (["A"] * 20 + ["a"], None),
    ],
)
def test_class_names_that_look_like_mistakes_are_named(labels, expected):
    labels = SHAPES + labels
    paths = [f"{i}.png" for i in range(len(labels))]
    found, texts = warned(ImageFiles, paths, labels)
    assert len(texts) == (expected is not None)
    for text in expected or ():
        assert text in texts[0]
    assert found.class_names == sorted(set(labels))
    # Who names the classes means them.
    assert warned(ImageFiles, paths, labels, found.class_names)[1] == []


@pytest.mark.parametrize(
    ("labels", "warns"),
    [
        ([*range(1, 8)] * 5, True),
        (["1", "2"] * 5, True),
        ([1, 2] * 4, False),
        ([1] * 20, False),
        ([1, 2, 4] * 20, False),
        ([0, 2] * 20, False),
        ([-1, 1, 2] * 20, False),
    ],
    ids=str,
)
def test_numbers_that_start_at_1_are_named(tmp_path, labels, warns):
    rows = [f"{i}.png,{label}" for i, label in enumerate(labels)]
    file = write(tmp_path / "list.csv", "\n".join(["path,label", *rows]))
    files, texts = warned(ImageFiles.from_table, file)
    assert len(texts) == warns
    if warns:
        last = int(max(labels))
        assert f"1 to {last}, so class 0 has no image" in texts[0]
        names = [f"class {i}" for i in range(last + 1)]
        assert warned(ImageFiles.from_table, file, *3 * [None], names)[1] == []
        assert warned(ImageFiles, files.files, files.labels - 1)[1] == []


def test_ids_of_files_get_their_ending(tmp_path, capsys):
    picture(tmp_path / "0001.jpg")
    picture(tmp_path / "2.jpg")
    file = write(tmp_path / "list.csv", "id,label\n0001,0\n2,1\n")
    found = ImageFiles.from_table(file, suffix=".jpg")
    names = [str(tmp_path / name) for name in ("0001.jpg", "2.jpg")]
    assert found.files.tolist() == names
    assert ImageFiles.from_table(file, "id").files[0] == names[0][:-4]
    table = {"id": np.array([1, 2]), "label": [0, 1]}
    found = ImageFiles.from_table(table, root=tmp_path, suffix=".jpg")
    assert found.files.tolist() == [str(tmp_path / "1.jpg"), names[1]]
    # A better column counts.
    for better in ("image", "image_id"):
        two = table | {better: ["a.png", "b.png"]}
        assert ImageFiles.from_table(two).files.tolist() == two[better]
    for wrong in (lambda: ImageFiles.from_table(file), lambda: samples(table)):
        with pytest.raises(ValueError, match=r'`path`, or.*`suffix="\.jpg"`'):
            wrong()
    with pytest.raises(ValueError, match="`suffix`"):
        ImageFiles.from_table(table, suffix=1)
    given = ImageFiles.from_table(file, "id")
    message = re.escape("0001.jpg exists: add the ending, as in `ImageFiles.")
    with pytest.raises(ValueError, match=message):
        given.check(1)
    with pytest.raises(FileNotFoundError, match=message):
        ImageDataset(given, 1, image_size=4)[0]


def test_the_columns_of_an_unknown_table_are_named():
    for table, message in (
        ({"uuid": ["a"], "label": [0]}, "from_table(table, path='uuid')`. "),
        ({"id": ["a"], "kind": [0]}, "from_table(table, label='kind')`. "),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            ImageDataset(table)


def test_a_wrong_label_of_a_table_is_named_with_its_line(tmp_path):
    text = "path,label\na.png,fig\n\nb.png,paer\nc.png,x\nd.png,pear\n"
    file = write(tmp_path / "list.csv", text)
    message = (
        r"2 `class_names`.*labels\[1\]='paer' in line 4 of .*list\.csv, and "
        r"1 more that are none of them\. Did you mean 'pear'\?"
    )
    with pytest.raises(ValueError, match=message):
        ImageFiles.from_table(file, class_names=["fig", "pear"])


def test_a_file_with_two_labels_is_named_with_its_lines(tmp_path):
    text = "path,label\na.png,fig\nb.png,fig\na.png,pear\nb.png,fig\n"
    file = write(tmp_path / "list.csv", text)
    files, texts = warned(ImageFiles.from_table, file)
    assert files.labels.tolist() == [0, 0, 1, 0]
    assert len(texts) == 1
    assert "for 1 of the 2 files, such as a.png: labels[0]='fig'" in texts[0]
    assert "in line 2 of" in texts[0] and "in line 4 of" in texts[0]
    texts = warned(ImageFiles, ["a", "a"], [3, 5])[1]
    assert len(texts) == 1 and "labels[0]=3 and labels[1]=5." in texts[0]
    assert warned(ImageFiles, ["a", "a"], [3, 3])[1] == []


def test_another_encoding_is_an_error(tmp_path):
    file = write(tmp_path / "list.csv", "path,label\nä.png,1\n", "latin-1")
    with pytest.raises(ValueError, match=r"list\.csv .*UTF-8"):
        ImageFiles.from_table(file)
    with pytest.raises(FileNotFoundError, match="missing"):
        ImageFiles.from_table(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("column", "entries", "message"),
    [
        ("label", ["pear", None, "fig"], "row 1, counted from 0"),
        ("label", [1.0, 0.0, np.nan], r"row 2.*\(1 of 3"),
        ("label", pandas.array([None, 1, 2], dtype="Int64"), "row 0"),
        ("label", pandas.array(["x", None, "y"], dtype="string"), "row 1"),
        ("label", ["pear", "", "fig"], "row 1"),
        ("label", ["pear", 3, "fig"], r"labels\[0\]=pear"),
        ("label", [0.5, 1.0, 2.0], r"labels\[0\]=0.5"),
        ("label", [0, 1, 2**40], r"labels\[2\]"),
        ("path", ["a", np.nan, "b"], "row 1"),
        ("path", ["a", 3, "b"], "3 at position 1"),
        ("path", [1, 2, 3], "paths of images"),
    ],
    ids=str,
)
def test_a_wrong_entry_is_named(column, entries, message):
    for kind in (dict, pandas.DataFrame):
        table = kind({**FRAME, column: entries})
        with pytest.raises(ValueError, match=message):
            ImageFiles.from_table(table)


def test_wrong_names_are_errors():
    for arguments, message in (
        ((FRAME, "file"), r"path='file'"),
        ((FRAME, None, "kind"), r"`label`.*\['path', 'label'\]"),
        (({"image": ["a"]},), r"`label`.*\['image'\]"),
        ((FRAME, None, None, None, ["fig"]), r"labels\[0\]='pear'"),
        ((FRAME, None, None, None, ["fig", "fig"]), "different names"),
        # A set has another order in each process; Keras has this dictionary.
        ((FRAME, None, None, None, {"fig", "pear"}), "in the order of"),
        ((FRAME, None, None, None, {"pear": 1, "fig": 0}), "a mapping from"),
        (
            ({"path": ["a"], "label": [2]}, None, None, None, ["a", "b"]),
            r"labels in \[0, 2\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            ImageFiles.from_table(*arguments)
    for files, labels, message in (
        (["a", "b"], [1], "2 files and 1 labels"),
        ([], [], "Received: none"),
        ("a.jpg", [1], "`files`"),
    ):
        with pytest.raises(ValueError, match=message):
            ImageFiles(files, labels)


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
        ([1, 2], [0, 1], "dtype int64"),
        (IMAGES, list("abcd"), "np.unique(labels, return_inverse=True)"),
        (IMAGES, np.array(list("abcd"), object), "np.unique(labels"),
        (IMAGES, [0, 1, None, 2], "labels[2]=None"),
        (IMAGES, [0.0, 1.0, np.nan, np.inf], "labels[2]=nan (2 of 4)"),
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
