"""The WebVision example: whole runs on a small tree."""

import contextlib
import csv
import functools
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import webvision_tree
from helpers import TESTS, run_here, run_python
from PIL import Image

from keras_noisy import distribution
from keras_noisy.datasets.webvision import WebVisionFolder

pytest.importorskip("tensorflow")

ROOT = TESTS.parent
EXAMPLE = ROOT / "examples" / "webvision.py"
once = pytest.mark.once
TEXT = EXAMPLE.read_text(encoding="utf-8")
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
    root, finished, example, tmp_path
):
    folder, table = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    # Everything is as before the last batch, except for the truncated log.
    *_, last = sorted((tmp_path / "saves").glob("*.npz"))
    last.unlink()
    (tmp_path / "output" / "model.keras").unlink()
    names = example(
        *("--smoke", "--save-every", 1, "--resume", tmp_path / "saves"),
        *("--imagenet-dir", root / "imagenet"),
    )
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
def test_parts_of_a_batch_make_the_step_of_the_whole(example):
    draws = np.random.default_rng(0)
    images = draws.normal(size=(16, 32, 32, 3)).astype("float32")
    labels = draws.integers(50, size=16)
    weights = []
    for count in (1, 2):
        names = example(
            *("--smoke", "--accumulate", count),
            until="        train_batches = pipeline(",
        )
        # The script reads parts of the batch.
        assert names["reading"]["batch_size"] == 16 // count
        model = names["build_model"]()
        start = model.get_weights()
        model.compile(names["build_optimizer"](), names["loss"])
        for part in np.split(np.arange(32) % 16, 2 * count):
            model.train_on_batch(images[part], labels[part])
        weights.append(model.get_weights())
    moved = 0
    for one, two, fresh in zip(*weights, start, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)
        moved = max(moved, np.abs(one - fresh).max())
    assert moved > 1e-2


def test_weight_decay_is_that_of_pytorch(example):
    names = example("--weight-decay", 1e-3, until='\n"""\n## Training')
    start, gradient, steps = np.array([1.0, -2.0], "float32"), 0.01, 300
    variable = keras.Variable(start)
    optimizer = names["build_optimizer"]()
    weight, velocity = start.astype("float64"), 0.0
    for _ in range(steps):
        optimizer.apply([keras.ops.full((2,), gradient)], [variable])
        total = gradient + 1e-3 * weight
        velocity = 0.9 * velocity + total
        weight = weight - 0.4 * (total + 0.9 * velocity)
    without = start - 0.4 * gradient * (10 * steps - 9 * 9)
    assert np.all(np.abs(weight - without) > 1)
    found = keras.ops.convert_to_numpy(variable)
    np.testing.assert_allclose(found, weight, rtol=0.02)


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


def step(names, size):
    """How much a training step moves the logits."""
    model = names["build_model"]()
    assert model.outputs[0].dtype == "float32"
    model.compile(names["build_optimizer"](), names["loss"])
    images = np.random.default_rng(0).normal(size=(4, size, size, 3))
    before = model.get_layer("logits").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images, np.arange(4)))
    after = model.get_layer("logits").get_weights()[0]
    assert 0 < np.abs(after - before).max() < 1
    return model


MIXED = ("--image-size", 32, "--mixed-precision", "--limit", 4)
MIXED += ("--fade", "margin")
UNTIL_TRAINING = "\n\n\ndef evaluation_batches"


def test_a_step_in_mixed_precision(example):
    small = ("--network", "small")
    model = step(example(*MIXED, *small, until=UNTIL_TRAINING), 32)
    assert model.layers[1].compute_dtype == "bfloat16"


@pytest.mark.slow
def test_resnet_50_takes_a_step_in_mixed_precision(example):
    model = step(example(*MIXED, until=UNTIL_TRAINING), 32)
    assert 23.6e6 < model.count_params() < 23.8e6
    assert model.get_layer("conv1_conv").compute_dtype == "bfloat16"


@once
def test_a_run_goes_on_for_more_epochs_unless_these_set_its_fade(example):
    until = '\n"""\n## The images'
    for fade, epochs in ((), None), (("--fade", "cosine"), 7):
        names = example("--epochs", 7, *fade, until=until)
        assert names["settings"].get("epochs") == epochs


@once
def test_a_loss_with_memory_is_given_the_index_of_each_sample(example):
    names = example("--smoke", "--loss", "ELR", "--epochs", 1)
    state = names["loss"].memory.state("targets")
    seen = np.any(keras.ops.convert_to_numpy(state)[:-1] != 0, axis=1)
    assert len(seen) == len(names["train"][1]) > 48
    assert seen.sum() >= 48
    assert list(accuracies(names["printed"])) == ["webvision"]


@once
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--image-size", 16], "--image-size must be 32 or more"),
        (["--epochs", 0], "--epochs must be 1 or more"),
        (["--batch-size", 0], "--batch-size must be 1 or more"),
        (["--accumulate", 3], "--accumulate must be 1 or more, and divide"),
        (["--learning-rate", 0], "--learning-rate must be above 0"),
        (["--weight-decay", -1], "--weight-decay must be at least 0"),
        (["--evaluate-every", 0], "--evaluate-every must be 1 or more"),
        (["--limit", 0], "--limit must be 1 or more"),
        (["--seed", -1], "--seed must be at least 0"),
        (["--save-every", 5], "--save-every needs --resume"),
        (["--imagenet-devkit", "x"], "--imagenet-devkit needs --imagenet-dir"),
        (["--loss", "hinge"], "--loss: There is no loss 'hinge'"),
        (["--loss", "GCE", "--fade", "margin"], "--fade needs a calibrated"),
        (["--mixed-precision", "int8"], "argument --mixed-precision: invalid"),
        (
            ["--loss", "ForwardCorrection"],
            "--loss: ForwardCorrection cannot be built",
        ),
        (["--loss", "SOP", "--source", "tfds"], "--loss SOP needs --source"),
    ],
)
def test_bad_arguments_get_a_clear_error(example, capsys, arguments, message):
    with pytest.raises(SystemExit):
        example(*arguments, until='\n"""\n## The network')
    assert f"webvision.py: error: {message}" in capsys.readouterr().err


def test_what_tensorflow_cannot_do_and_lone_processes_are_refused(
    example, capsys, monkeypatch
):
    until = '\n"""\n## The images'
    arguments = ("--distribute", "--accumulate", 2)
    if BACKEND == "tensorflow":
        with pytest.raises(SystemExit):
            example(*arguments, until=until)
        message = "--accumulate with --distribute needs JAX or PyTorch"
        assert message in capsys.readouterr().err
    else:
        example(*arguments, until=until)
    monkeypatch.setattr(distribution, "process_count", lambda: 2)
    with pytest.raises(SystemExit):
        example(until=until)
    assert "several processes need --distribute" in capsys.readouterr().err


def failed(capsys, *arguments, **environment):
    """The argparse error with which the script ends."""
    with pytest.raises(SystemExit) as raised:
        run(*arguments, **environment)
    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert "usage: webvision.py" in told
    return told.split("webvision.py: error: ")[1]


@once
def test_what_is_wrong_with_the_data_is_an_error_of_its_option(
    root, tmp_path, capsys
):
    nowhere = tmp_path / "nowhere"
    message = failed(capsys, nowhere, tmp_path)
    assert message.startswith("--data-dir: WebVision is incomplete in")
    assert "google_resized_256.tar" in message
    kit = ("--imagenet-dir", root / "imagenet", "--imagenet-devkit", nowhere)
    message = failed(capsys, root, tmp_path, "--smoke", *kit)
    assert message.startswith("--imagenet-dir: ") and str(nowhere) in message
    saves = tmp_path / "saves"
    saves.write_text("a file")
    message = failed(capsys, root, saves / "output")
    assert message.startswith("--output: ") and str(saves) in message
    message = failed(capsys, root, tmp_path, "--smoke", "--resume", saves)
    assert message.startswith("--resume: ") and str(saves) in message
    few = ("--smoke", "--batch-size", 100)
    message = failed(capsys, root, tmp_path, *few)
    assert message.startswith("--batch-size: Expected at least one whole batch")
    assert "batch_size=100" in message
    (tmp_path / "empty").mkdir()
    message = failed(capsys, tmp_path / "empty", tmp_path, "--source", "tfds")
    assert message.startswith("--data-dir: ")
    assert "google_resized_256.tar" in message


@once
def test_missing_packages_are_named_with_how_to_get_them(
    root, tmp_path, capsys, monkeypatch
):
    for module, options in (
        ("tensorflow", ()),
        ("PIL", ()),
        ("tensorflow_datasets", ("--source", "tfds")),
        (
            "scipy.io",
            ("--imagenet-dir", root, "--imagenet-devkit", tmp_path),
        ),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            checking = "keras_noisy.datasets.webvision._images"
            patch.delitem(sys.modules, checking, raising=False)
            message = failed(capsys, root, tmp_path, *options)
        assert module.split(".")[0].lower() in message.lower()
        assert "pip install" in message


@once
def test_what_check_leaves_out_is_told(root, tmp_path, capsys):
    until = '\n"""\nThe validation images of'
    printed = run(root, tmp_path, until=until)["printed"]
    assert "train: 4 of 56 images are left out:" in printed
    assert "  google/q0002/1google.jpg: no image (0 bytes)" in printed
    assert "  google/q0004/8google.jpg: missing" in printed
    assert "Warning: 7.1% of the train images are missing or broken" in printed
    assert "validation: 1 of 24 images are left out:" in printed
    assert "Warning: classes without any train image: 46" in printed
    assert "'n01440765 class 1'" in printed
    # The test expects only the drawn images.
    printed = run(root, tmp_path, "--limit", 56, until=until)["printed"]
    assert "4 of 56" in printed and "without any" not in printed
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    shutil.rmtree(copy / "google" / "q0002")
    printed = run(copy, tmp_path, "--limit", 56, until=until)["printed"]
    assert "train: 17 of 56 images" in printed and "and 12 more" in printed
    assert "without any train image: 1, such as 'n01440771" in printed
    shutil.rmtree(copy / "google")
    (copy / "google").mkdir()
    message = failed(capsys, copy, tmp_path, until=until)
    assert message.startswith("--data-dir: Expected images that can be read")


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
