"""A stopped and resumed run ends like an uninterrupted one."""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import TESTS
from resumed_training import BATCHES, EPOCHS, train

from keras_noisy import GCE
from keras_noisy.callbacks import Resume, _checkpoint, _lock
from keras_noisy.callbacks._checkpoint import Checkpoint
from keras_noisy.datasets import ImageDataset, pipeline

pytest.importorskip("sklearn")
pytest.importorskip("tensorflow")

MOMENTS = [
    "after some batches",
    "before a file is whole",
    "any time",
    "before a file has its name",
]


class Stopped(Exception):
    pass


def stop_after(batches):
    """A callback that ends `fit` with an error after some batches."""
    left = iter(range(batches - 1, -1, -1))

    def count(batch, logs):
        if next(left) == 0:
            raise Stopped

    return keras.callbacks.LambdaCallback(on_train_batch_end=count)


def assert_same(found, wanted):
    """Compare all values; Keras counts the layers of a process in names."""
    assert len(found) == len(wanted) > 20
    for (name, value), expected in zip(
        found.items(), wanted.values(), strict=True
    ):
        np.testing.assert_array_equal(value, expected, err_msg=name)


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(MOMENTS[:1], id="one moment", marks=pytest.mark.once),
        pytest.param(MOMENTS, id="every moment", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_with_the_same_weights(moments, tmp_path):
    def is_killed(moment, seed):
        arguments = ["ImageDataset", tmp_path / "killed", moment, seed]
        done = subprocess.run(
            [
                sys.executable,
                TESTS / "resumed_training.py",
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            # Otherwise PyTorch crawls if other programs share the processor.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode != 0

    wanted = train(tmp_path / "whole", "ImageDataset")
    kills = sum(is_killed(moment, n) for n, moment in enumerate(moments))
    assert kills >= len(moments) - ("any time" in moments)
    found = train(tmp_path / "killed", "ImageDataset")
    assert_same(found, wanted)
    assert len(found["val_loss"]) == EPOCHS
    left = sorted(path.name for path in (tmp_path / "killed").iterdir())
    assert len(left) == 2 and left[1] == "epoch_000003_batch_000000000.npz"


def test_an_interrupted_fit_goes_on_in_the_same_process(tmp_path):
    wanted = train(tmp_path / "whole")
    # In the second epoch, and before the next save after that.
    for batches in (BATCHES + 4, 1):
        with pytest.raises(Stopped):
            train(tmp_path / "stopped", callbacks=[stop_after(batches)])
    resume = Resume(tmp_path / "stopped")
    assert (resume.initial_epoch, resume.start) == (1, (1, 2))
    assert len(resume.history["loss"]) == 1
    assert_same(train(tmp_path / "stopped"), wanted)
    # The run is finished: nothing is trained, deleted or written.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "stopped").iterdir()}
    again = train(tmp_path / "stopped", callbacks=[stop_after(1)])
    assert_same(again, wanted)
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "stopped").iterdir()}
    assert after == before


def small(units=3, optimizer="sgd", **arguments):
    layers = [keras.layers.Dense(units), keras.layers.Dense(1)]
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), *layers]
    )
    model.compile(optimizer, "mse", metrics=["mae"], **arguments)
    return model


IMAGES = np.random.default_rng(0).integers(
    256, size=(40, 4, 4, 3), dtype="uint8"
)
LABELS = np.arange(40.0)[:, None]


def fit(model, resume, reader=ImageDataset, epochs=2, **arguments):
    data = reader((IMAGES, LABELS), 8, training=True, start=resume.start)
    return model.fit(
        data,
        **{
            "epochs": epochs,
            "initial_epoch": resume.initial_epoch,
            "shuffle": False,
            "verbose": 0,
            "callbacks": [resume],
            **arguments,
        },
    )


@pytest.mark.once
def test_a_damaged_file_is_named_and_the_one_before_it_is_taken(tmp_path):
    fit(small(), Resume(tmp_path))
    older, newest = sorted(tmp_path.iterdir())
    whole = newest.read_bytes()
    # Cut off, and with a bit of a weight turned.
    place = len(whole) // 2
    turned = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    for content in (whole[:-9], b"", turned):
        newest.write_bytes(content)
        damaged = re.escape(f"{newest} is damaged")
        with pytest.warns(UserWarning, match=damaged) as seen:
            resume = Resume(tmp_path)
        assert [warning.filename for warning in seen] == [__file__]
        assert resume.initial_epoch == 1
    older.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(ValueError, match="2 files, all of them damaged"),
    ):
        Resume(tmp_path)


@pytest.mark.once
def test_the_directory_of_another_model_is_refused_and_kept(tmp_path):
    fit(small(), Resume(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for model, message in [
        (
            small(4),
            r"dense/kernel \(48, 3\) there and .*dense/kernel \(48, 4\)",
        ),
        (small(3, "adam"), "optimizer variable .* there and adam/"),
        (
            small(3, keras.optimizers.SGD(momentum=0.9)),
            r"nothing there and .*momentum \(48, 3\) here \(2 and 6 in all\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(model, Resume(tmp_path), epochs=3)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.once
def test_what_was_not_handed_on_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"Pass `start=resume\.start`"):
        small().fit(
            IMAGES, LABELS, callbacks=[Resume(tmp_path / "a", save_freq=2)]
        )
    with pytest.raises(Stopped):
        resume = Resume(tmp_path, save_freq=2)
        fit(small(), resume, callbacks=[stop_after(8), resume])
    with pytest.raises(ValueError, match="initial_epoch=0, not 1"):
        fit(small(), Resume(tmp_path), initial_epoch=0)
    with pytest.raises(ValueError, match=r"Pass `start=resume\.start`"):
        small().fit(
            IMAGES, LABELS, initial_epoch=1, callbacks=[Resume(tmp_path)]
        )
    with pytest.raises(ValueError, match="Leave `steps_per_epoch` out"):
        fit(
            small(),
            Resume(tmp_path),
            lambda *a, **k: pipeline(*a, **k).map(lambda x, y: (x, y)),
        )
    with pytest.raises(ValueError, match=r"the 5 batches.*Received: 10 bat"):
        fit(
            small(),
            Resume(tmp_path),
            lambda data, _, **k: ImageDataset(data, 4, **k),
        )
    for bad in (0, 1.5, True, "batch"):
        with pytest.raises(ValueError, match=f"save_freq={bad!r}"):
            Resume(tmp_path, bad)


@pytest.mark.once
def test_a_run_does_not_go_on_with_other_settings(tmp_path):
    settings = {"seed": 0, "rate": 0.2, "path": tmp_path}
    fit(small(), Resume(tmp_path, settings=settings), epochs=1)
    assert Resume(tmp_path, settings=settings).initial_epoch == 1
    message = "is a run with seed=0, rate=0.2. .* Received: seed=5, rate=None"
    with pytest.raises(ValueError, match=message):
        Resume(tmp_path, settings={"seed": 5, "path": tmp_path})


def objects(q=0.7, rate=0.1):
    """Settings whose text differs each time."""
    return {
        "loss": GCE(q=q),
        "classes": set("abcdefgh"),
        "decay": float("nan"),
        "schedule": keras.optimizers.schedules.CosineDecay(rate, 10),
        "weights": np.linspace(0, q, 5000),
        "nested": [{"path": tmp} for tmp in (Path("a"), Path("b"))],
    }


@pytest.mark.once
def test_settings_are_compared_by_what_they_contain(tmp_path):
    fit(small(), Resume(tmp_path, settings=objects()), epochs=1)
    assert Resume(tmp_path, settings=objects()).initial_epoch == 1
    for other, message in (
        (objects(q=0.6), r"loss\.q=0\.7, weights.*Received: loss\.q=0\.6"),
        (objects(rate=0.2), r"schedule\.initial_learning_rate=0\.1"),
        ({**objects(), "classes": {"a"}}, "classes=.*Received: classes="),
        ({**objects(), "decay": 0.5}, r"decay='nan'.*decay=0\.5"),
    ):
        with pytest.raises(ValueError, match="is a run with .*" + message):
            Resume(tmp_path, settings=other)
    with pytest.raises(ValueError, match=r"settings\['data'\].*Give a number"):
        Resume(tmp_path, settings={"data": iter([])})


@pytest.mark.once
def test_settings_of_an_older_file_are_understood(tmp_path):
    settings = {**objects(), "rate": 0.4, "size": np.int64(3), "deep": (1, 2)}
    older = json.loads(json.dumps(settings, default=str))
    # Change it to what another process would write.
    older["loss"] = older["loss"].replace(" at 0x", " at 0x9")
    older["classes"] = "{'h', 'g', 'f', 'e', 'd', 'c', 'b', 'a'}"
    older["schedule"] = re.sub(" at 0x.*", " at 0x1>", older["schedule"])
    path = _checkpoint.write(tmp_path, Checkpoint(1, 0, {}, {}, older))
    assert Resume(tmp_path, settings=settings).initial_epoch == 1
    for name, value in {"rate": 0.5, "classes": {"a"}, "size": 4}.items():
        with pytest.raises(ValueError, match=f"is a run with {name}"):
            Resume(tmp_path, settings={**settings, name: value})
    assert path.exists()


def test_a_run_goes_on_with_another_backend(tmp_path):
    fit(small(), Resume(tmp_path), epochs=1)
    _, saved = _checkpoint.read_newest(tmp_path)
    if not saved.state.pop("random", None):  # as PyTorch saves it
        saved.state["random"] = [("device 0", np.zeros(5056, "uint8"))]
    _checkpoint.write(tmp_path, saved)
    resume = Resume(tmp_path)
    fit(small(), resume)
    assert len(resume.history["loss"]) == 2


@pytest.mark.once
def test_a_directory_in_use_is_refused_and_kept(tmp_path, monkeypatch):
    fit(small(), Resume(tmp_path), epochs=1)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.npz")}
    resume = Resume(tmp_path)
    with monkeypatch.context() as other:
        other.setattr(_lock, "_lock", lambda file: False)
        with pytest.raises(ValueError, match="in use by another run"):
            fit(small(), resume)
        # Only the first process of several writes.
        other.setattr("keras_noisy.callbacks.resume.process_index", lambda: 1)
        fit(small(), Resume(tmp_path))
    after = {path: path.read_bytes() for path in tmp_path.glob("*.npz")}
    assert after == before
    resume = Resume(tmp_path)
    fit(small(), Resume(tmp_path))  # another run, meanwhile
    with pytest.raises(ValueError, match=r"has saved in .* Make a new one"):
        fit(small(), resume)


@pytest.mark.once
def test_a_fit_holds_the_lock_until_its_end(tmp_path):
    seen = []

    def look(*_):
        seen.append((tmp_path / _lock.NAME).exists())

    watch = keras.callbacks.LambdaCallback(on_epoch_end=look)
    resume = Resume(tmp_path)
    fit(small(), resume, callbacks=[resume, watch])
    assert seen == [True, True]
    assert not (tmp_path / _lock.NAME).exists()
    with pytest.raises(ValueError, match="another model"):
        fit(small(4), Resume(tmp_path), epochs=3)
    assert not (tmp_path / _lock.NAME).exists()


def test_an_epoch_that_is_stopped_in_its_middle_is_not_done(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    resume = Resume(tmp_path, save_freq=1)
    fit(small(), resume, callbacks=[Stop(), resume])
    assert Resume(tmp_path).start == (0, 3)


@pytest.mark.once
def test_a_metric_may_be_a_vector(tmp_path):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
    model.compile("sgd", "mse", metrics=[keras.metrics.F1Score()])
    resume = Resume(tmp_path)
    targets = np.eye(3, dtype="float32")[np.arange(40) % 3]
    train = ImageDataset(
        (IMAGES, targets), 8, training=True, start=resume.start
    )
    model.fit(train, shuffle=False, verbose=0, callbacks=[resume])
    assert len(Resume(tmp_path).history["f1_score"][0]) == 3


@pytest.mark.once
def test_a_start_belongs_to_one_reader_of_training_data(tmp_path):
    start = Resume(tmp_path).start
    with pytest.raises(ValueError, match="for the training data"):
        ImageDataset((IMAGES, LABELS), 8, start=start)
    ImageDataset((IMAGES, LABELS), 8, training=True, start=start)
    with pytest.raises(ValueError, match="for the training data"):
        ImageDataset((IMAGES, LABELS), 8, training=True, start=start)


@pytest.mark.once
def test_an_interrupted_fit_needs_a_new_resume(tmp_path):
    resume = Resume(tmp_path)
    data = ImageDataset((IMAGES, LABELS), 8, training=True, start=resume.start)
    model = small()
    arguments = {"shuffle": False, "verbose": 0}
    with pytest.raises(Stopped):
        model.fit(data, callbacks=[stop_after(2), resume], **arguments)
    with pytest.raises(ValueError, match="was interrupted"):
        model.fit(data, callbacks=[resume], **arguments)


def test_the_mean_of_a_resumed_epoch_is_that_of_all_its_batches(tmp_path):
    # With a learning rate of 0 the loss of an epoch does not depend on order.
    still = keras.optimizers.SGD(0.0)
    keras.utils.set_random_seed(0)
    wanted = fit(small(3, still), Resume(tmp_path / "whole"), epochs=1).history
    resume = Resume(tmp_path / "stopped", save_freq=1)
    with pytest.raises(Stopped):
        keras.utils.set_random_seed(0)
        model = small(3, keras.optimizers.SGD(0.0))
        fit(model, resume, callbacks=[resume, stop_after(3)])
    resume = Resume(tmp_path / "stopped")
    assert resume.start == (0, 3)
    found = fit(small(), resume, epochs=1).history
    assert found == wanted and set(found) == {"loss", "mae"}


@pytest.mark.once
def test_other_warnings_are_shown_while_an_epoch_is_resumed(tmp_path):
    resume = Resume(tmp_path, save_freq=1)
    with pytest.raises(Stopped):
        fit(small(), resume, callbacks=[resume, stop_after(3)])

    class Warn(keras.callbacks.Callback):
        def warn(self, *_, logs=None):
            warnings.warn("Your input ran out of data; I say", stacklevel=2)

        on_train_batch_end = on_test_batch_begin = warn

    before = list(warnings.filters)
    resume = Resume(tmp_path)
    with pytest.warns(UserWarning, match="I say") as seen:
        fit(
            small(),
            resume,
            epochs=1,
            callbacks=[Warn(), resume],
            validation_data=(IMAGES / 255, LABELS),
        )
    ours = [one for one in seen if "I say" in str(one.message)]
    # The two remaining batches, and those of the validation.
    assert len(ours) == 2 + 2
    assert not [one for one in seen if "interrupting" in str(one.message)]
    assert list(warnings.filters) == before


@pytest.mark.once
@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_precision_and_moving_averages_come_along(policy, tmp_path):
    keras.config.set_dtype_policy(policy)

    def optimizer():
        return keras.optimizers.Adam(0.1, use_ema=True)

    states = {}
    for name, epochs in {"whole": [2], "parts": [1, 2]}.items():
        for until in epochs:
            keras.utils.set_random_seed(0)
            model = small(3, optimizer())
            fit(model, Resume(tmp_path / name), epochs=until)
        states[name] = [
            np.array(keras.ops.convert_to_numpy(variable), "float32")
            for variable in (*model.variables, *model.optimizer.variables)
        ]
    # Weights and bias, their averages, moments, and what counts the steps.
    assert len(states["whole"]) >= 2 * 4 + 2
    for found, wanted in zip(*states.values(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.once
def test_a_directory_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        model = small()
        with pytest.raises(OSError, match=f"Cannot write in {path}: "):
            fit(model, Resume(path))
        assert int(model.optimizer.iterations) == 0


@pytest.mark.once
def test_what_other_files_are_there_stays(tmp_path):
    (tmp_path / "log.csv").write_text("mine")
    (tmp_path / "epoch_000001_batch_000000000.npz.partial").write_text("half")
    fit(small(), Resume(tmp_path), epochs=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch_000003_batch_000000000.npz",
        "epoch_000004_batch_000000000.npz",
        "log.csv",
    ]
