"""The WebVision builder of TensorFlow Datasets, on a small official tree."""

import hashlib
import io
import json
import logging

import numpy as np
import pytest
import webvision_tree
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="tfds.testing needs dill")

from keras_noisy.datasets.webvision import Webvision  # noqa: E402

pytestmark = pytest.mark.once

SOURCES = {
    "google": ["google"],
    "flickr": ["flickr"],
    "all": ["google", "flickr"],
    "mini": ["google"],
}
FORMS = ("unpacked", "archives")


@pytest.fixture(autouse=True)
def offline():
    with tfds.testing.disable_gcs_access():
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("webvision")
    tree = webvision_tree.write(root / "unpacked")
    webvision_tree.pack(root / "unpacked", root / "archives")
    tree.root = root
    return tree


def prepared(manual_dir, data_dir, config="mini", **download):
    builder = Webvision(data_dir=data_dir, config=config)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=manual_dir, **download
        )
    )
    return builder


@pytest.fixture(scope="module")
def builders(tree, tmp_path_factory):
    """Every configuration, prepared from the folder and from archives."""
    with tfds.testing.disable_gcs_access():
        return {
            (config, form): prepared(
                tree.root / form, tmp_path_factory.mktemp("data"), config
            )
            for config in SOURCES
            for form in FORMS
        }


def examples(builder, split, **arguments):
    return list(tfds.as_numpy(builder.as_dataset(split=split, **arguments)))


def stored(builder, split):
    """The examples with the bytes of the images, by id."""
    decoders = {"image": tfds.decode.SkipDecoding()}
    return {
        example["id"].decode(): example
        for example in examples(builder, split, decoders=decoders)
    }


def expected_labels(tree, config, split):
    """Label and source of every image that can be decoded, by id."""
    return {
        path: (label, source)
        for source in (SOURCES[config] if split == "train" else ["validation"])
        for path, label in tree.readable(
            source, 50 if config == "mini" else 1000
        ).items()
    }


def official_test_case(config, form):
    """The test case of TensorFlow Datasets for builders."""

    class WebvisionTest(tfds.testing.DatasetBuilderTestCase):
        DATASET_CLASS = Webvision
        BUILDER_CONFIG_NAMES_TO_TEST = (config,)

        @pytest.fixture(scope="class", autouse=True)
        @classmethod
        def use_tree(cls, tree):
            cls.EXAMPLE_DIR = tree.root / form
            cls.SPLITS = {
                split: len(expected_labels(tree, config, split))
                for split in ("train", "validation")
            }

    return WebvisionTest


TestGoogle = official_test_case("google", "unpacked")
TestFlickr = official_test_case("flickr", "archives")
TestAll = official_test_case("all", "archives")
TestMini = official_test_case("mini", "unpacked")


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("config", SOURCES)
def test_every_readable_image_is_there_with_its_label(
    tree, builders, config, form, split
):
    found = stored(builders[config, form], split)
    assert {
        name: (int(example["label"]), example["source"].decode())
        for name, example in found.items()
    } == expected_labels(tree, config, split)
    for name, example in found.items():
        query = "" if split == "validation" else name.split("/")[1]
        assert example["query"].decode() == query
        if name not in tree.converted:
            assert example["image"] == tree.files[name]
    assert any(" " in name for name in found) == (split == "train")


@pytest.mark.parametrize("config", SOURCES)
def test_archives_and_folder_give_the_same_examples_in_the_same_order(
    builders, config
):
    for split in ("train", "validation"):
        first, second = (
            stored(builders[config, form], split) for form in FORMS
        )
        assert list(first) == list(second)
        assert first == second


def test_order_is_mixed_and_that_of_every_preparation(tree, builders, tmp_path):
    builder = builders["all", "archives"]
    labels = [example["label"] for example in examples(builder, "train")]
    assert np.count_nonzero(np.diff(labels)) > len(labels) / 2
    again = prepared(tree.root / "archives", tmp_path, "all")
    assert list(stored(again, "train")) == list(stored(builder, "train"))


def test_images_are_decoded_to_colors(tree, builders):
    builder = builders["all", "archives"]
    seen = set()
    for example in examples(builder, "train"):
        name, image = example["id"].decode(), example["image"]
        assert image.dtype == "uint8"
        assert image.shape[-1] == 3 and min(image.shape[:2]) == 256
        original = Image.open(io.BytesIO(tree.files[name]))
        seen.add((original.format, original.mode))
        original = np.asarray(original.convert("RGB"), "float32")
        assert np.abs(original - image).mean() < 3
    assert {("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK")} < seen
    assert {image_format for image_format, _ in seen} == {"JPEG", "PNG", "GIF"}


def test_what_was_left_out_and_converted_is_stored_with_the_data(
    tree, builders
):
    for (config, _), builder in builders.items():
        num_classes = 50 if config == "mini" else 1000
        for metadata in (
            builder.info.metadata,
            tfds.builder_from_directory(builder.data_dir).info.metadata,
            Webvision(
                data_dir=builder.data_dir.split("/webvision/")[0], config=config
            ).info.metadata,
        ):
            skipped, converted = metadata["skipped"], metadata["converted"]
            train = tree.skipped(SOURCES[config], num_classes)
            assert set(skipped["train"]) == train
            assert set(skipped["validation"]) == {"val000002.jpg"}
            assert set(converted["train"]) == {
                name
                for name in tree.converted
                if name.split("/")[0] in SOURCES[config]
            }
            assert converted["validation"] == []
    faults = builders["mini", "archives"].info.metadata["skipped"]["train"]
    assert faults == {
        "google/q0001/0google.jpg": "truncated or damaged JPEG",
        "google/q0002/1google.jpg": "no image (0 bytes)",
        "google/q0003/2google.jpg": "no image (22 bytes)",
        "google/q0004/8google.jpg": "missing",
    }


def test_checksums_are_those_of_the_files_that_were_read(tree, builders):
    lists = [
        "info/synsets.txt",
        "info/train_filelist_google.txt",
        "info/val_filelist.txt",
    ]
    archives = ["google_resized_256.tar", "info.tar", "val_images_256.tar"]
    for form, names in (("unpacked", []), ("archives", archives)):
        expected = {}
        for name in lists + names:
            folder = "archives" if name in archives else "unpacked"
            content = (tree.root / folder / name).read_bytes()
            expected[name] = {
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        assert builders["mini", form].info.metadata["checksums"] == expected


def test_class_names_come_from_the_download(builders):
    for config, num_classes in (("mini", 50), ("all", 1000)):
        builder = builders[config, "archives"]
        again = tfds.builder_from_directory(builder.data_dir)
        names = again.info.features["label"].names
        assert len(names) == num_classes
        assert names[0] == "n01440764 tench, Tinca tinca"


def test_left_out_images_are_listed_at_the_end(tree, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        prepared(tree.root / "archives", tmp_path)
    (train,) = [text for text in caplog.messages if ", train: " in text]
    assert "of 56 images 2 were converted to RGB JPEG and 4 left out" in train
    assert "google/q0002/1google.jpg: no image (0 bytes)" in train
    assert "google/q0004/8google.jpg: missing" in train
    (validation,) = [x for x in caplog.messages if ", validation: " in x]
    assert "val000002.jpg: truncated or damaged JPEG" in validation


def test_a_part_of_the_data_is_prepared_for_a_first_look(tree, tmp_path):
    builder = prepared(
        tree.root / "archives", tmp_path, max_examples_per_split=5
    )
    assert len(examples(builder, "train")) == 5
    assert set(builder.info.metadata["skipped"]["train"]) < tree.broken


def test_archives_may_have_a_folder_in_front(tree, builders, tmp_path):
    webvision_tree.pack(
        tree.root / "unpacked", tmp_path / "manual", "./data/webvision/"
    )
    builder = prepared(tmp_path / "manual", tmp_path / "data", "all")
    for split in ("train", "validation"):
        assert stored(builder, split) == stored(
            builders["all", "archives"], split
        )


def test_the_folder_is_preferred_to_the_archive(tree, builders, tmp_path):
    manual = tmp_path / "manual"
    manual.mkdir()
    for name in ("info", "google"):
        (manual / name).symlink_to(tree.root / "unpacked" / name)
    for name in ("info.tar", "google_resized_256.tar"):
        (manual / name).write_bytes(b"not read")
    (manual / "val_images_256.tar").symlink_to(
        tree.root / "archives" / "val_images_256.tar"
    )
    builder = prepared(manual, tmp_path / "data")
    assert stored(builder, "train") == stored(
        builders["mini", "archives"], "train"
    )


def test_it_is_registered_with_its_facts(tree, tmp_path):
    assert "webvision" in tfds.list_builders()
    data = tfds.load(
        "webvision/mini",
        split="validation",
        data_dir=tmp_path,
        as_supervised=True,
        download_and_prepare_kwargs={
            "download_config": tfds.download.DownloadConfig(
                manual_dir=tree.root / "archives"
            )
        },
    )
    assert len(data) == 23
    image, label = next(iter(tfds.as_numpy(data)))
    assert image.shape[-1] == 3 and label < 50
    info = Webvision(data_dir=tmp_path).info
    assert Webvision(data_dir=tmp_path).builder_config.name == "google"
    assert "arXiv:1708.02862" in info.citation
    assert info.homepage.endswith("dataset2017.html")
    assert not info.disable_shuffling
    json.dumps(info.metadata)
