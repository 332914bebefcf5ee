"""The WebVision example: errors, and what it says of images left out."""

import shutil
import sys

import pytest
import test_webvision_example
from test_webvision_example import BACKEND, failed, run

from keras_noisy import distribution

once = pytest.mark.once
tfds_folder = test_webvision_example.tfds_folder
root, example = test_webvision_example.root, test_webvision_example.example


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
        (["--loss", "GJS"], "--loss GJS needs several views"),
        (["--loss", "GCE", "--fade", "margin"], "--fade needs a calibrated"),
        (["--mixed-precision", "int8"], "argument --mixed-precision: invalid"),
        (
            ["--loss", "ForwardCorrection"],
            "--loss: ForwardCorrection cannot be built",
        ),
        (["--loss", "SOP", "--source", "tfds"], "--loss SOP needs --source"),
        (["--loss", "selc", "--source", "tfds"], "--loss selc needs --source"),
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
