"""The WebVision example: whole runs on a small tree."""

import csv
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import webvision_tree
from helpers import TESTS, run_here, run_python

pytest.importorskip("tensorflow")

ROOT = TESTS.parent
EXAMPLE = ROOT / "examples" / "webvision.py"
once = pytest.mark.once

BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The small WebVision, and validation images under ILSVRC12's names."""
    root = tmp_path_factory.mktemp("webvision")
    tree = webvision_tree.write(root)
    labels = tree.readable("validation", 50)
    (root / "imagenet").mkdir()
    for number, name in enumerate(sorted(labels)):
        folder = root / "imagenet" / f"n{1440764 + labels[name]:08}"
        folder.mkdir(exist_ok=True)
        file = folder / f"ILSVRC2012_val_{number + 1:08}.JPEG"
        file.write_bytes(tree.files[name])
    return root


def run(root, output, *arguments, until="\0"):
    """Run the example up to a text in it; returns definitions and output."""
    arguments = ["--data-dir", root, "--output", output, *arguments]
    return run_here(EXAMPLE, *arguments, until=until)


@pytest.fixture(autouse=True)
def tfds_folder(tmp_path, monkeypatch):
    """Use a temporary home instead of the real one."""
    constants = pytest.importorskip("tensorflow_datasets.core.constants")
    monkeypatch.setattr(constants, "DATA_DIR", str(tmp_path / "tfds"))


@pytest.fixture
def example(root, tmp_path):
    return functools.partial(run, root, tmp_path / "output")


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """The folder of a finished run, and its table."""
    folder = tmp_path_factory.mktemp("finished")
    options = ("--imagenet-dir", root / "imagenet")
    options += ("--resume", folder / "saves", "--save-every", 1)
    names = run(root, folder / "output", "--smoke", *options)
    return folder, accuracies(names["printed"])


def log(folder):
    """The lines of the log, as numbers."""
    with open(folder / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key: float(row[key]) for key in row} for row in rows]


def accuracies(printed):
    """Top-1 and top-5 by validation set, from the table at the end."""
    rows = re.findall(r"^(\w+) +\| +([\d.]+)% \| +([\d.]+)%$", printed, re.M)
    return {name: (float(first), float(five)) for name, first, five in rows}


def failed(capsys, *arguments, **environment):
    """The argparse error with which the script ends."""
    with pytest.raises(SystemExit) as raised:
        run(*arguments, **environment)
    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert "usage: webvision.py" in told
    return told.split("webvision.py: error: ")[1]


@pytest.mark.once
def test_the_table_and_the_log_have_both_validation_sets(finished):
    folder, table = finished
    assert list(table) == ["webvision", "ilsvrc12"]
    # The same images under other names.
    assert table["webvision"] == table["ilsvrc12"]
    rows = log(folder / "output")
    assert [row["epoch"] for row in rows] == [0, 1]
    for value, metric in zip(table["webvision"], ("top1", "top5"), strict=True):
        last = rows[-1][f"val_webvision_{metric}"]
        assert value == pytest.approx(100 * last, abs=0.005)
    np.testing.assert_allclose(
        [row["learning_rate"] for row in rows], [0.1, 0.097], rtol=1e-6
    )


@once
def test_a_finished_run_is_measured_alike_from_tfds_and_not_trained(
    root, finished, tmp_path, capsys
):
    folder, table = finished
    shutil.copytree(folder, tmp_path / "copy")
    names = run(
        root,
        tmp_path / "copy" / "output",
        *("--smoke", "--source", "tfds"),
        *("--resume", tmp_path / "copy" / "saves"),
    )
    found = accuracies(names["printed"])
    assert found == {"webvision": table["webvision"]}
    assert log(tmp_path / "copy" / "output") == log(folder / "output")
    model = keras.saving.load_model(
        folder / "output" / "model.keras", compile=False
    )
    for images, labels, weights in names["validation_batches"]["webvision"]:
        expected = names["model"].predict(images, verbose=0)
        found = model.predict(images, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        assert np.all(weights == 1) and set(labels.numpy()) <= {0, 7, 23, 49}
    # A converted data set is not reused for another WebVision.
    shutil.copytree(root / "info", tmp_path / "other" / "info")
    with open(tmp_path / "other/info/train_filelist_google.txt", "a") as file:
        file.write("google/q0001/more.jpg 0\n")
    message = failed(
        capsys, tmp_path / "other", tmp_path, "--smoke", "--source", "tfds"
    )
    assert "--data-dir: Expected" in message and "TFDS_DATA_DIR" in message
    assert "train_filelist_google.txt" in message


@once
def test_a_run_that_was_stopped_ends_with_the_same_numbers(
    root, finished, example, tmp_path, capsys
):
    folder, table = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    # Everything is as before the last batch, except for the truncated log.
    *_, last = sorted((tmp_path / "saves").glob("*.npz"))
    last.unlink()
    (tmp_path / "output" / "model.keras").unlink()
    options = ("--smoke", "--save-every", 1, "--resume", tmp_path / "saves")
    # The log has columns for a validation set that is missing now.
    message = failed(capsys, root, tmp_path / "output", *options)
    assert message.startswith("--imagenet-dir must be given")
    names = example(*options, "--imagenet-dir", root / "imagenet")
    assert tuple(names["start"]) == (1, 2)
    assert accuracies(names["printed"]) == table
    whole = log(folder / "output")
    for row, expected in zip(log(tmp_path / "output"), whole, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert (tmp_path / "output" / "model.keras").exists()


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_numbers(
    root, finished, example, tmp_path
):
    saves, output = tmp_path / "saves", tmp_path / "output"
    options = ["--smoke", "--save-every", "1", "--resume", saves]
    options += ["--imagenet-dir", root / "imagenet"]
    killed = subprocess.Popen(
        [
            *(sys.executable, EXAMPLE),
            *("--data-dir", root, "--output", output),
            *options,
        ],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        limit = time.monotonic() + 200
        while not list(saves.glob("*.npz")):
            assert killed.poll() is None and time.monotonic() < limit
            time.sleep(0.01)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert not (output / "model.keras").exists()
    folder, table = finished
    assert accuracies(example(*options)["printed"]) == table
    whole = log(folder / "output")
    for row, expected in zip(log(output), whole, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)


@once
def test_a_loss_with_memory_is_given_the_index_of_each_sample(example):
    names = example("--smoke", "--loss", "ELR", "--epochs", 1)
    state = names["loss"].memory.state("targets")
    seen = np.any(keras.ops.convert_to_numpy(state)[:-1] != 0, axis=1)
    assert len(seen) == len(names["train"][1]) > 48
    assert seen.sum() >= 48
    assert list(accuracies(names["printed"])) == ["webvision"]


@once
def test_a_run_goes_on_for_more_epochs_unless_these_set_its_fade(example):
    until = '\n"""\n## The images'
    for fade, epochs in ((), None), (("--fade", "cosine"), 7):
        names = example("--epochs", 7, *fade, until=until)
        assert names["settings"].get("epochs") == epochs


DEVICES = {
    "jax": "import os; os.environ['XLA_FLAGS'] = "
    "'--xla_force_host_platform_device_count=2'",
    "tensorflow": "import tensorflow as tf; "
    "tf.config.set_logical_device_configuration("
    "tf.config.list_physical_devices('CPU')[0], "
    "[tf.config.LogicalDeviceConfiguration()] * 2)",
    "torch": "import torch; torch.set_num_threads(1)",
}


@pytest.mark.slow
def test_two_devices_go_on_like_one(root, finished, example, tmp_path):
    folder, expected = finished
    options = ["--smoke", "--imagenet-dir", root / "imagenet"]
    launcher = []
    one, two = folder, tmp_path / "two"
    shutil.copytree(folder, two)
    if BACKEND == "torch":
        # In training each process has an order of its own: measure only.
        launcher = ["-m", "torch.distributed.run", "--standalone"]
        launcher += ["--nproc-per-node=2"]
    else:
        options += ["--epochs", 3]
        one = tmp_path / "one"
        shutil.copytree(folder, one)
        names = run(root, one / "output", *options, "--resume", one / "saves")
        expected = accuracies(names["printed"])

    arguments = ["--data-dir", root, "--output", two / "output", *options]
    arguments += ["--resume", two / "saves", "--distribute"]
    script = tmp_path / "two.py"
    script.write_text(
        f"{DEVICES[BACKEND]}\n"
        "import runpy, sys\n"
        f"sys.argv = {[str(x) for x in (EXAMPLE, *arguments)]}\n"
        "names = runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "assert names['parallel'].num_devices == 2\n"
    )
    printed = run_python(*launcher, script, backend=BACKEND, timeout=150)
    assert accuracies(printed) == expected
    rows = log(two / "output")
    assert len(rows) == (2 if BACKEND == "torch" else 3)
    for row, expected in zip(rows, log(one / "output"), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
