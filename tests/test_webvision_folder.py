"""WebVision from its unpacked folder, without TensorFlow Datasets."""

import json
import shutil

import pytest
import webvision_tree
from helpers import run_python
from PIL import Image

from keras_noisy.datasets.webvision import WebVisionFolder

pytestmark = pytest.mark.once

SOURCES = {
    ("google", "train"): ["google"],
    ("flickr", "train"): ["flickr"],
    ("all", "train"): ["google", "flickr"],
    ("mini", "train"): ["google"],
    ("google", "validation"): ["validation"],
    ("mini", "validation"): ["validation"],
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    root = tmp_path_factory.mktemp("webvision")
    return root, webvision_tree.write(root)


@pytest.fixture
def broken(unpacked, tmp_path):
    """A copy of the lists, to be made wrong, with empty image folders."""
    shutil.copytree(unpacked[0] / "info", tmp_path / "info")
    for name in ("google", "flickr", "val_images_256"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(("config", "split"), SOURCES)
def test_every_line_of_the_lists_is_there_in_order(unpacked, config, split):
    root, tree = unpacked
    folder = WebVisionFolder(root, config, split)
    num_classes = 50 if config == "mini" else 1000
    assert folder.num_classes == len(folder.class_names) == num_classes
    expected = [
        (path, label, source)
        for source in SOURCES[config, split]
        for path, label in tree.labels[source].items()
        if label < num_classes
    ]
    found = zip(folder.ids, folder.labels, folder.sources, strict=True)
    assert list(found) == expected
    assert len(folder) == len(expected) > 20
    assert folder.labels.dtype == "int64"


def test_check_keeps_what_the_readers_read(broken):
    names = []
    for kind in ("TIFF", "WEBP", "JPEG"):
        names.append(f"google/{kind}.jpg")
        Image.new("RGB", (40, 30)).save(broken / names[-1], kind)
    whole = (broken / names[-1]).read_bytes()
    (broken / "google/cut.jpg").write_bytes(whole[:-2])
    lines = [f"{name} 1\n" for name in [*names, "google/cut.jpg"]]
    (broken / "info/train_filelist_google.txt").write_text("".join(lines))
    checked = WebVisionFolder(broken).check()
    assert checked.ids.tolist() == names
    assert "truncated" in checked.skipped["google/cut.jpg"]
    ((images, _),) = checked.to_py_dataset(image_size=8)
    assert images.shape == (3, 8, 8, 3)


def test_files_and_queries_belong_to_the_ids(unpacked):
    root, tree = unpacked
    for split in ("train", "validation"):
        folder = WebVisionFolder(str(root), "all", split)
        for file, name in zip(folder.files, folder.ids, strict=True):
            if name in tree.files:
                with open(file, "rb") as opened:
                    assert opened.read() == tree.files[name]
            else:
                assert name in tree.missing
    queries = WebVisionFolder(root, "mini").queries
    assert list(queries) == [f"q000{k}" for k in range(1, 5) for _ in range(14)]
    assert set(WebVisionFolder(root, split="validation").queries) == {""}


def test_class_names_are_the_lines_of_the_synsets(unpacked):
    names = WebVisionFolder(unpacked[0]).class_names
    assert names[0] == "n01440764 tench, Tinca tinca"
    assert [i for i, name in enumerate(names) if "crane" in name] == [134, 517]


def test_check_leaves_out_what_is_broken_or_missing(unpacked, capsys):
    root, tree = unpacked
    folder = WebVisionFolder(root, "all")
    checked = folder.check(workers=2)
    expected = tree.readable("google") | tree.readable("flickr")
    assert dict(zip(checked.ids, checked.labels, strict=True)) == expected
    assert set(checked.skipped) == tree.skipped(["google", "flickr"])
    assert checked.skipped["google/q0001/0google.jpg"].startswith(
        "image file is truncated"
    )
    assert checked.skipped["google/q0002/1google.jpg"] == "no image (0 bytes)"
    assert checked.skipped["google/q0004/8google.jpg"] == "missing"
    for name in ("files", "sources", "queries"):
        assert len(getattr(checked, name)) == len(checked)
    assert f"{len(folder)}/{len(folder)}" in capsys.readouterr().out
    # `check` leaves the folder as it is, and remembers skipped images.
    assert len(folder) == len(checked) + len(checked.skipped)
    assert folder.skipped == {}
    assert checked.check().skipped == checked.skipped
    assert f"{len(checked)} images, {len(checked.skipped)} skipped" in repr(
        checked
    )


def test_check_of_no_readable_image_says_so(broken):
    with pytest.raises(ValueError, match=r"none is.*missing.*another folder"):
        WebVisionFolder(broken).check()


def test_check_sees_every_truncation(unpacked, broken):
    content = unpacked[1].files["google/q0001/a name.jpg"]
    lengths = [*range(0, len(content) - 20, 97), *range(-20, 0)]
    lines = []
    for number, length in enumerate(lengths):
        (broken / "google" / f"{number}.jpg").write_bytes(content[:length])
        lines.append(f"google/{number}.jpg 0\n")
    (broken / "google" / "whole.jpg").write_bytes(content)
    lines.append("google/whole.jpg 3\n")
    (broken / "info/train_filelist_google.txt").write_text("".join(lines))
    checked = WebVisionFolder(broken).check()
    assert checked.labels.tolist() == [3]
    assert len(checked.skipped) == len(lengths) > 40


def test_wrong_arguments_are_named():
    for arguments, expected in (
        ({"config": "Mini"}, '"google", "flickr", "all", "mini"'),
        ({"config": ["mini"]}, "argument `config`"),
        ({"split": "test"}, 'one of "train", "validation"'),
    ):
        with pytest.raises(ValueError, match=expected):
            WebVisionFolder("folder", **arguments)


def test_wrong_number_of_workers_is_named(unpacked):
    with pytest.raises(ValueError, match="argument `workers`"):
        WebVisionFolder(unpacked[0]).check(workers=0)


def test_missing_parts_are_named_with_where_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        WebVisionFolder(tmp_path / "nowhere", "all")
    message = str(raised.value)
    assert str(tmp_path / "nowhere") in message
    assert "tar -xf" in message
    for name, archive in (
        ("info/synsets.txt", "info.tar"),
        ("info/train_filelist_google.txt", "info.tar"),
        ("info/train_filelist_flickr.txt", "info.tar"),
        ("google/", "google_resized_256.tar"),
        ("flickr/", "flickr_resized_256.tar"),
    ):
        assert (
            f"  {name}, from https://data.vision.ee.ethz.ch/cvl/webvision/"
            f"{archive}" in message
        )
    assert "val" not in message.split(":", 1)[1].replace("cvl", "")


def test_only_the_missing_list_is_named(broken):
    (broken / "info/val_filelist.txt").unlink()
    assert len(WebVisionFolder(broken)) > 0
    with pytest.raises(FileNotFoundError) as raised:
        WebVisionFolder(broken, split="validation")
    assert "info/val_filelist.txt" in str(raised.value)
    assert "synsets" not in str(raised.value)


def written(folder, lines, synsets=None):
    """The folder with another list, and the classes it is read with."""
    (folder / "info/train_filelist_google.txt").write_bytes(lines)
    if synsets is not None:
        (folder / "info/synsets.txt").write_bytes(synsets)
    return WebVisionFolder(folder, "mini")


@pytest.mark.parametrize(
    "line",
    [
        "google/q0001/a.jpg 1000",
        "google/q0001/a.jpg -1",
        "google/q0001/a.jpg 1.0",
        f"google/q0001/a.jpg {'9' * 5000}",
        "google/q0001/a.jpg",
        "google/q0001/a.jpg,3",
        "path label",
        "3",
    ],
)
def test_a_wrong_line_is_an_error_that_shows_it(broken, line):
    text = f"google/q0001/b.jpg 0\n{line}\ngoogle/q0001/c.jpg 1\n"
    with pytest.raises(ValueError) as raised:
        written(broken, text.encode())
    message = str(raised.value)
    assert "line 2 of `train_filelist_google.txt`" in message
    assert "[0, 1000)" in message
    assert f"Received: {line!r}" in message


@pytest.mark.parametrize(
    "path",
    [
        "../other.jpg",
        "google/../../other.jpg",
        "google/q0001/..",
        "/etc/passwd",
        "//host/share/a.jpg",
        "C:/a.jpg",
        "d:a.jpg",
        "C:\\a b.jpg",
        "\\\\host\\a.jpg",
        "google\\q0001\\a.jpg",
        "..\\a.jpg",
    ],
)
def test_a_path_that_leaves_the_folder_is_an_error_that_names_the_line(
    broken, path
):
    text = f"google/q0001/b.jpg 0\n\n{path} 3\n"
    with pytest.raises(ValueError) as raised:
        written(broken, text.encode())
    message = str(raised.value)
    assert "Expected a path inside the folder" in message
    assert "line 3 of `train_filelist_google.txt`" in message
    assert f"Received: {f'{path} 3'!r}" in message


def test_dots_in_names_stay_inside(broken):
    names = ["google/q0001/a..jpg", "google/..q/.a.jpg", "google/q:1/...jpg"]
    text = "".join(f"{name} 1\n" for name in names)
    assert written(broken, text.encode()).ids.tolist() == names


ROWS = [("google/q0001/a.jpg", 0), ("google/q1/b  c, d.jpg", 3)]
FORMS = {
    "plain": "{0} {1}\n",
    "byte order mark": "\ufeff{0} {1}\n",
    "old Macintosh": "{0} {1}\r",
    "Windows, twice": "{0} {1}\r\r\n",
    "tabs and spaces": " \t{0} \t  {1}\t\t \r\n",
    "space that does not break": "{0}\xa0{1}\n",
    "empty lines": "\n  \n{0} {1}\n\t\n\n",
    "quoted cell": '"{0}"\t{1}\n',
    "quoted path": '"{0}" {1}\n',
    "quoted line": '"{0} {1}"\n',
    "leading zeros": "{0} 00{1}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_of_editors_and_spreadsheets_lose_nothing(broken, form):
    text = "".join(FORMS[form].format(*row) for row in ROWS)
    folder = written(broken, text.encode())
    assert [*zip(folder.ids, folder.labels, strict=True)] == ROWS
    # The last line may have no end.
    folder = written(broken, text.rstrip().encode())
    assert [*zip(folder.ids, folder.labels, strict=True)] == ROWS


@pytest.mark.parametrize(
    "form",
    ["{0} {1}\n", "\ufeff{0}  {1} \r\n\r\n", '"{0} {1}"\r', '{0}\t"{1}"\n'],
)
def test_class_names_of_editors_and_spreadsheets_are_those(broken, form):
    rows = [(f"n{i:08}", f"class {i}, other") for i in range(1000)]
    text = "".join(form.format(*row) for row in rows)
    names = written(broken, b"google/a.jpg 0", text.encode()).class_names
    assert names == [f"{wnid} {name}" for wnid, name in rows[:50]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["train_filelist_google.txt", "synsets.txt"])
def test_utf_16_is_an_error_that_says_so(broken, name, encoding):
    file = broken / "info" / name
    file.write_bytes(file.read_text().encode(encoding))
    with pytest.raises(ValueError) as raised:
        WebVisionFolder(broken)
    message = str(raised.value)
    assert f"Expected `{name}` as a text in UTF-8" in message
    assert "Received: UTF-16" in message and "Save it as UTF-8" in message


def test_two_labels_for_one_image_are_an_error_and_a_repeated_line_is_not(
    broken,
):
    file = broken / "info/train_filelist_google.txt"
    file.write_text("google/q0001/b.jpg 0\r\ngoogle/q0001/b.jpg 0\r\n")
    assert WebVisionFolder(broken).ids.tolist() == ["google/q0001/b.jpg"]
    file.write_text("google/q0001/b.jpg 0\ngoogle/q0001/b.jpg 4\n")
    with pytest.raises(ValueError, match="with 0 and, in line 2, with 4"):
        WebVisionFolder(broken)


def test_no_image_of_the_classes_is_an_error(broken):
    file = broken / "info/train_filelist_google.txt"
    file.write_text("google/q0120/b.jpg 75\n")
    assert len(WebVisionFolder(broken)) == 1
    with pytest.raises(ValueError, match=r"labels in \[0, 50\)"):
        WebVisionFolder(broken, "mini")


def test_synsets_of_another_data_set_are_an_error(broken):
    file = broken / "info/synsets.txt"
    lines = file.read_text().splitlines()
    for wrong, received in (
        (lines[:-1], "999 lines, 999 of them different"),
        ([*lines, "n5 more"], "1001 lines, 1001 of them different"),
        ([*lines[1:], lines[1]], "1000 lines, 999 of them different"),
    ):
        file.write_text("\n".join(wrong))
        with pytest.raises(ValueError, match=received):
            WebVisionFolder(broken)


@pytest.fixture(scope="module")
def bare(unpacked):
    """The behavior of a process without the extra packages."""
    code = f"""
import json, sys
sys.modules.update(dict.fromkeys(["tensorflow_datasets", "tensorflow"]))
import keras
before = set(sys.modules)
import keras_noisy.datasets
told = {{"loaded": sorted(set(sys.modules) - before)}}

import keras_noisy.datasets.webvision as webvision
told["all"] = webvision.__all__
folder = webvision.WebVisionFolder({str(unpacked[0])!r}, "mini").check()
batches = folder.to_py_dataset(batch_size=8, image_size=32)
told["labels"] = [int(label) for _, labels in batches for label in labels]

sys.modules["PIL"] = None
for use in (
    lambda: webvision.Webvision, lambda: webvision.Webvisions, folder.check
):
    try:
        use()
    except (ImportError, AttributeError) as error:
        told.setdefault("errors", []).append(repr(error))
print("told", json.dumps(told))
"""
    return json.loads(run_python("-c", code, backend="jax").split("told")[1])


def test_import_of_the_package_loads_nothing_of_webvision(bare):
    assert "keras_noisy.datasets" in bare["loaded"]
    assert "keras_noisy.datasets.webvision" not in bare["loaded"]
    assert "PIL" not in bare["loaded"]


def test_the_folder_is_checked_and_read_without_tensorflow(unpacked, bare):
    expected = unpacked[1].readable("google", 50)
    assert bare["labels"] == list(expected.values())


def test_without_extra_packages_errors_say_how_to_install(bare):
    assert bare["all"] == ["WebVisionFolder"]
    builder, misspelt, check = bare["errors"]
    assert builder.startswith("ImportError('Webvision needs")
    assert check.startswith("ImportError('Images need Pillow")
    assert "pip install tensorflow-datasets tensorflow pillow" in builder
    assert "pip install pillow" in check
    assert misspelt.startswith("AttributeError") and "'Webvisions'" in misspelt
