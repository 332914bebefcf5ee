"""Tables of images: columns, CSV files, and mistakes that are named."""

import pathlib
import re

import numpy as np
import pytest
from test_image_files import picture, warned, write

from keras_noisy.datasets import ImageDataset, ImageFiles
from keras_noisy.datasets._samples import samples

tf = pytest.importorskip("tensorflow")
pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.once


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
    yield "bytes", frame.map(str.encode)
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


def test_names_of_a_generator_and_a_csv_file(tmp_path):
    path = tmp_path / "images.csv"
    pandas.DataFrame(FRAME).to_csv(path, index=False)
    names = (name for name in ("pear", "fig"))
    found = ImageFiles.from_table(path, class_names=names)
    assert found.class_names == ["pear", "fig"]
    assert found.labels.tolist() == [0, 1, 0]


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
        # An accent of its own looks the same.
        (["f\u00ea"] * 3 + ["fe\u0302"], ["'fe\\u0302', perhaps 'f\u00ea'"]),
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
        (
            {"b/a.JPG": ["c.jpg"], "0": ["1"]},
            "write `path,label` above the first",
        ),
        (pandas.DataFrame(FRAME).set_index("path"), "`table.reset_index()`"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            ImageDataset(table)
    frame = pandas.DataFrame(FRAME)
    twice = pandas.concat([frame, frame], axis=1)
    with pytest.raises(ValueError, match="rename or drop the others"):
        ImageFiles.from_table(twice, path="path")


def test_rows_are_no_table():
    rows = pandas.DataFrame(FRAME).to_dict("records")
    for wrong in (rows, np.array([["a.png", "fig"]])):
        with pytest.raises(ValueError, match=r"`table`.*DataFrame\(rows\)"):
            ImageFiles.from_table(wrong)


def test_several_columns_of_labels_are_no_label():
    table = {"id": ["a.png"], "sea": [0], "sky": [1]}
    with pytest.raises(ValueError, match=r"pass `\(paths, labels\)`"):
        ImageFiles.from_table(table, label=["sea", "sky"])


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
    message = r"list\.csv .*UTF-8.*in line 2\. Save it.*`pandas\.read_csv`"
    with pytest.raises(ValueError, match=message):
        ImageFiles.from_table(file)
    for content in (b"\xef\xbb\xbfpath,label\n\xe4", b"path,label\r\xe4,1\r"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"list\.csv .*in line 2"):
            ImageFiles.from_table(file)
    rows = "a.png,1\n" * 5000  # more than Python reads at once
    file.write_bytes(f"path,label\n{rows}".encode() + b"\xe4.png,1\n" + b"x")
    with pytest.raises(ValueError, match=r"list\.csv .*in line 5002"):
        ImageFiles.from_table(file)
    write(file, f'path,label\n{rows}"a"b.png,1\n', "utf-8")
    with pytest.raises(ValueError, match=r"list\.csv .*in line 5002"):
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


def test_a_table_without_rows_is_an_error():
    table = pandas.DataFrame(FRAME)
    for rows in (table[table["label"] == "plum"], {"path": [], "label": []}):
        with pytest.raises(ValueError, match=r"at least one row.*'path'"):
            ImageFiles.from_table(rows)


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


@pytest.mark.once
@pytest.mark.parametrize("wrong", (9, None, float("nan")))
def test_a_label_that_is_no_name_is_told(wrong):
    message = rf"names of classes.*labels\[0\]=cat and labels\[1\]={wrong}\. "
    with pytest.raises(ValueError, match=message):
        ImageFiles(["a.png", "b.png"], ["cat", wrong])
