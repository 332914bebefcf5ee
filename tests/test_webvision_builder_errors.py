"""The WebVision builder: what is missing or wrong in the archives."""

import shutil

import pytest
import test_webvision_builder
import webvision_tree
from test_webvision_builder import FORMS, prepared
from webvision_tree import bomb

pytestmark = pytest.mark.once

offline, tree = test_webvision_builder.offline, test_webvision_builder.tree


def link(tree, manual, *names):
    """A manual folder of some of the archives."""
    manual.mkdir()
    for name in names:
        (manual / name).symlink_to(tree.root / "archives" / name)
    return manual


def test_missing_archives_are_all_named_with_where_to_get_them(tree, tmp_path):
    manual = link(tree, tmp_path / "manual", "google_resized_256.tar")
    with pytest.raises(FileNotFoundError) as raised:
        prepared(manual, tmp_path / "data", "all")
    lines = str(raised.value).splitlines()
    assert str(manual) in lines[0]
    base = "https://data.vision.ee.ethz.ch/cvl/webvision/"
    assert lines[1:] == [
        f"  info/synsets.txt, from {base}info.tar",
        f"  info/train_filelist_google.txt, from {base}info.tar",
        f"  info/train_filelist_flickr.txt, from {base}info.tar",
        f"  info/val_filelist.txt, from {base}info.tar",
        f"  flickr/, from {base}flickr_resized_256.tar",
        f"  val_images_256/, from {base}val_images_256.tar",
    ]


def test_a_list_that_the_archive_lacks_is_named(tree, tmp_path):
    info = tmp_path / "info"
    info.mkdir()
    for name in ("synsets.txt", "train_filelist_google.txt"):
        shutil.copy(tree.root / "unpacked" / "info" / name, info / name)
    manual = link(
        tree,
        tmp_path / "manual",
        "google_resized_256.tar",
        "val_images_256.tar",
    )
    webvision_tree.pack(tmp_path, manual, archives={"info": "info.tar"})
    with pytest.raises(FileNotFoundError) as raised:
        prepared(manual, tmp_path / "data")
    assert "info/val_filelist.txt" in str(raised.value)
    assert "synsets" not in str(raised.value)
    info.rename(manual / "info")
    with pytest.raises(FileNotFoundError) as raised:
        prepared(manual, tmp_path / "data")
    assert "info/val_filelist.txt" in str(raised.value)
    assert "synsets" not in str(raised.value)


def test_an_empty_manual_folder_shows_the_instructions(tmp_path):
    with pytest.raises(AssertionError) as raised:
        prepared(tmp_path / "manual", tmp_path / "data")
    for text in (
        "info.tar                 always",
        "google_resized_256.tar   (16 GB) for google, all and mini",
        "no need to unpack",
    ):
        assert text in str(raised.value)


def test_an_incomplete_archive_is_an_error_that_names_it(tree, tmp_path):
    manual = link(tree, tmp_path / "manual", "info.tar", "val_images_256.tar")
    content = (tree.root / "archives/google_resized_256.tar").read_bytes()
    length = int(0.3 * len(content))
    (manual / "google_resized_256.tar").write_bytes(content[:length])
    with pytest.raises(ValueError) as raised:
        prepared(manual, tmp_path / "data")
    assert "google_resized_256.tar` is no complete archive" in str(raised.value)
    assert f"its {length} bytes" in str(raised.value)
    assert not list((tmp_path / "data").glob("webvision/mini/1.0.0/*"))


@pytest.mark.parametrize("form", FORMS)
def test_one_bad_image_of_each_kind_is_left_out_with_its_reason(
    tree, tmp_path, form
):
    manual = link(tree, tmp_path / "manual", "info.tar", "val_images_256.tar")
    bad = "google/q0001/1google.jpg", "google/q0002/6google.jpg"
    folder = tmp_path / "copy"
    shutil.copytree(tree.root / "unpacked" / "google", folder / "google")
    (folder / bad[0]).write_bytes(bomb("JPEG", 13000, 13000))
    with open(folder / bad[1], "wb") as file:
        file.truncate(70 * 10**6)
    if form == "unpacked":
        folder.joinpath("google").rename(manual / "google")
        extra = "google/q0003/0google.jpg"
        (manual / extra).unlink()
        (manual / extra).mkdir()
    else:
        webvision_tree.pack(
            folder, manual, archives={"google": "google_resized_256.tar"}
        )
        extra = None
    builder = prepared(manual, tmp_path / "data", "google")
    skipped = builder.info.metadata["skipped"]
    assert "13000 x 13000 pixels" in skipped["train"].pop(bad[0])
    assert skipped["train"].pop(bad[1]) == "70000000 bytes, more than 67108864"
    if extra:
        assert skipped["train"].pop(extra) == "Is a directory"
    assert set(skipped["train"]) == tree.skipped(["google"])


def test_a_list_that_the_archive_has_as_a_link_is_an_error(tree, tmp_path):
    manual = link(
        tree,
        tmp_path / "manual",
        "google_resized_256.tar",
        "val_images_256.tar",
    )
    shutil.copytree(tree.root / "unpacked/info", tmp_path / "info")
    (tmp_path / "info/synsets.txt").unlink()
    (tmp_path / "info/synsets.txt").symlink_to("elsewhere")
    webvision_tree.pack(tmp_path, manual, archives={"info": "info.tar"})
    with pytest.raises(ValueError) as raised:
        prepared(manual, tmp_path / "data")
    assert f"in `{manual / 'info.tar'}`" in str(raised.value)
    assert "synsets.txt: a link" in str(raised.value)


def test_more_than_a_tenth_missing_is_an_error(tree, tmp_path):
    manual = link(tree, tmp_path / "manual", "info.tar", "val_images_256.tar")
    (manual / "google").mkdir()
    (manual / "google" / "q0001").symlink_to(
        tree.root / "unpacked" / "google" / "q0001"
    )
    with pytest.raises(ValueError) as raised:
        prepared(manual, tmp_path / "data")
    first, *listed = str(raised.value).splitlines()
    assert "43 of 56 images of google" in first
    assert f"in `{manual / 'google'}`" in first
    assert "google_resized_256.tar again" in first
    assert len(listed) == 11
    assert listed[0] == "  google/q0001/0google.jpg: truncated or damaged JPEG"
    assert listed[1].endswith(": missing")
    assert listed[-1] == "  and 33 more"


def test_a_label_outside_the_range_is_an_error(tree, tmp_path):
    manual = link(
        tree,
        tmp_path / "manual",
        "google_resized_256.tar",
        "val_images_256.tar",
    )
    (manual / "info").mkdir()
    for file in (tree.root / "unpacked" / "info").iterdir():
        (manual / "info" / file.name).write_bytes(file.read_bytes())
    with open(manual / "info" / "val_filelist.txt", "a") as file:
        file.write("val000099.jpg 1000\n")
    with pytest.raises(ValueError) as raised:
        prepared(manual, tmp_path / "data")
    assert "line 37 of `val_filelist.txt`" in str(raised.value)
    assert "val000099.jpg 1000" in str(raised.value)
