"""The WebVision example: the classes of ImageNet, and the sample."""

import contextlib
import io
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import test_webvision_example
from PIL import Image
from test_webvision_example import EXAMPLE

from keras_noisy.datasets.webvision import WebVisionFolder

once = pytest.mark.once
tfds_folder = test_webvision_example.tfds_folder
root, example = test_webvision_example.root, test_webvision_example.example


@once
def test_the_development_kit_tells_the_classes_of_imagenet(
    root, example, tmp_path, capsys
):
    savemat = pytest.importorskip("scipy.io").savemat
    files = sorted(root.glob("imagenet/*/*"))
    files.sort(key=lambda file: file.name)
    data = tmp_path / "kit" / "data"
    data.mkdir(parents=True)
    # The kit has more synsets than classes, in an order of its own.
    wnids = [f"n{1440764 + label:08}" for label in range(1100)][::-1]
    synsets = np.zeros(
        1100, [("ILSVRC2012_ID", "float64"), ("WNID", "O"), ("words", "O")]
    )
    synsets["ILSVRC2012_ID"] = np.arange(1, 1101)
    synsets["WNID"], synsets["words"] = wnids, "words"
    savemat(data / "meta.mat", {"synsets": synsets})
    truth = [wnids.index(file.parent.name) + 1 for file in files]
    outside = wnids.index(f"n{1440764 + 999:08}") + 1
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(len(files) + 1):
        Image.new("RGB", (40, 30)).save(
            flat / f"ILSVRC2012_val_{number + 1:08}.JPEG"
        )
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(
        "".join(f"{number}\n" for number in [*truth, outside])
    )
    kit = ("--imagenet-devkit", tmp_path / "kit")
    until = '\n"""\n## The loss'
    names = example("--imagenet-dir", flat, *kit, until=until)
    paths, labels = names["validation"]["ilsvrc12"]
    assert [Path(path).name for path in paths] == [file.name for file in files]
    sorted_into_folders = example(
        "--imagenet-dir", root / "imagenet", until=until
    )["validation"]["ilsvrc12"]
    by_name = {
        Path(path).name: label
        for path, label in zip(*sorted_into_folders, strict=True)
    }
    assert [by_name[Path(path).name] for path in paths] == labels.tolist()
    assert len({*labels.tolist()}) > 2

    # The classes in another order than the names of the files.
    folders = tmp_path / "folders"
    for number in range(len(truth)):
        folder = folders / f"{len(truth) - number}"
        folder.mkdir(parents=True)
        image = f"ILSVRC2012_val_{number + 1:08}.JPEG"
        shutil.copy(flat / image, folder / image)
    folder = folders / "0"
    folder.mkdir()
    image = f"ILSVRC2012_val_{len(truth) + 1:08}.JPEG"
    shutil.copy(flat / image, folder / image)
    names = example("--imagenet-dir", folders, *kit, until=until)
    again, same = names["validation"]["ilsvrc12"]
    assert [Path(path).name for path in again] == [f.name for f in files]
    assert same.tolist() == labels.tolist()

    capsys.readouterr()
    for arguments, message in (
        ((flat,), "pass --imagenet-devkit"),
        ((root / "imagenet", *kit), "the classes of"),
    ):
        with pytest.raises(SystemExit):
            example("--imagenet-dir", *arguments, until=until)
        assert message in capsys.readouterr().err


TEXT = EXAMPLE.read_text(encoding="utf-8")


def make_sample(folder):
    """What the script prints when it makes a sample."""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
        pytest.raises(SystemExit) as raised,
    ):
        patch.setattr(sys, "argv", [EXAMPLE.name, "--make-sample", str(folder)])
        exec(compile(TEXT, EXAMPLE, "exec"), {"__name__": "__main__"})
    return raised.value.code, printed.getvalue()


@once
def test_a_sample_is_a_tree_in_the_official_layout(tmp_path, capsys):
    folder = tmp_path / "new" / "a sample"
    code, printed = make_sample(folder)
    assert code is None
    command = f"webvision.py --data-dir {shlex.quote(str(folder))} --smoke"
    assert command in printed
    means = {}
    for config, split, count in (
        ("mini", "train", 600),
        ("all", "train", 800),
        ("mini", "validation", 100),
    ):
        found = WebVisionFolder(folder, config, split).check()
        assert len(found) == count and found.skipped == {}
        assert np.bincount(found.labels).tolist() == [count // 50] * 50
        pixels = [np.asarray(Image.open(file)) for file in found.files]
        means[split] = found.labels, np.max(pixels, (1, 2))
    # The colors alone beat chance, 2 %, but do not determine the class.
    labels, colors = means["train"]
    centers = np.stack([np.median(colors[labels == k], 0) for k in range(50)])
    labels, colors = means["validation"]
    distance = np.abs(colors[:, None].astype(int) - centers).sum(-1)
    assert 0.1 < np.mean(np.argmin(distance, 1) == labels) < 0.9

    before = sorted(folder.rglob("*"))
    for taken in (folder, folder / "info", folder / "info" / "synsets.txt"):
        code, printed = make_sample(taken)
        assert code == 2 and printed == ""
        message = capsys.readouterr().err
        assert "error: --make-sample: " in message and str(taken) in message
    assert sorted(folder.rglob("*")) == before
    assert make_sample(tmp_path / "x" / "..")[0] == 2
