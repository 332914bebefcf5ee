"""Folds in a folder: continued, and never those of other arguments."""

import keras
import numpy as np
import pytest
import test_out_of_fold
from test_out_of_fold import ROWS, Frequencies

from keras_noisy import losses, noise
from keras_noisy._files import reading, write_whole

fashion = test_out_of_fold.fashion


def test_it_goes_on_after_the_last_fold(fashion, tmp_path, capsys):
    x, given, _ = fashion
    built = []

    def run(x=x, fails_at=None, directory=tmp_path / "folds", **arguments):
        def build_model():
            built.append(1)
            if len(built) == fails_at:
                raise KeyboardInterrupt
            return Frequencies()

        return noise.out_of_fold_probabilities(
            build_model, x, given, 3, directory=directory, **arguments
        )

    with pytest.raises(KeyboardInterrupt):
        run(fails_at=3)
    resumed = run()
    assert len(built) == 4
    assert "3/3" in capsys.readouterr().out
    np.testing.assert_array_equal(resumed, run(directory=None))
    for other in ({"epochs": 2}, {"x": x + 1}, {"seed": 1}):
        with pytest.raises(ValueError, match="new folder"):
            run(**other)


@pytest.mark.once
def test_two_runs_may_write_one_file_at_once(tmp_path):
    file = tmp_path / "fold_0.npy"

    def write(path):
        path.write_text("first")
        write_whole(file, lambda path: path.write_text("second"))

    write_whole(file, write)
    assert file.read_text() == "first"
    with pytest.raises(OSError, match="full"):
        write_whole(file, fill)
    assert list(tmp_path.iterdir()) == [file]


def fill(path):
    path.write_text("a part")
    raise OSError("full")


class Frame(keras.callbacks.Callback):
    """A callback that learns."""

    def __init__(self, rate, seen):
        super().__init__()
        self.rate, self.seen = rate, seen

    def on_train_begin(self, logs=None):
        self.seen = [*self.seen, 1]


class Trained(Frequencies):
    """A model that calls its callbacks and has its own number."""

    def __init__(self, units=3):
        self.units = units

    def fit(self, x, y, callbacks=(), **arguments):
        for callback in keras.tree.flatten(callbacks):
            callback.set_model(MODEL)
            callback.on_train_begin()
        super().fit(x, y)


MODEL = keras.Sequential([keras.layers.Dense(1)])


def altered(value):
    rows = ROWS.copy()
    rows[30, 200] = value
    return rows


def rate_of(value):
    return keras.callbacks.LearningRateScheduler(lambda epoch: value)


#: Arguments that make the same folds, and others that do not.
ARGUMENTS = {
    "validation data": (
        lambda: {"validation_data": (altered(0.1), [1] * 60)},
        lambda: {"validation_data": (altered(0.2), [1] * 60)},
    ),
    "validation labels": (
        lambda: {"validation_data": (ROWS, np.arange(60) % 10)},
        lambda: {"validation_data": (ROWS, np.arange(60) % 9)},
    ),
    "patience": (
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(patience=1)]},
        lambda: {"callbacks": [keras.callbacks.EarlyStopping(patience=2)]},
    ),
    "function of a callback": (
        lambda: {"callbacks": [rate_of(0.1)]},
        lambda: {"callbacks": [rate_of(0.2)]},
    ),
    "callback of a user": (
        lambda: {"callbacks": Frame(np.float32(0.1), {1, 2})},
        lambda: {"callbacks": Frame(np.float32(0.1), {1, 3})},
    ),
    "one more callback": (
        lambda: {"callbacks": [rate_of(0.1)]},
        lambda: {"callbacks": [rate_of(0.1), Frame(1, [])]},
    ),
    "class weight": (
        lambda: {"class_weight": {0: 1.0, 1: 2.0}},
        lambda: {"class_weight": {0: 1.0, 1: 3.0}},
    ),
    "samples": (lambda: {"x": altered(0.1)}, lambda: {"x": altered(0.2)}),
    "labels": (
        lambda: {"y": np.arange(60) % 10},
        lambda: {"y": np.arange(60) % 5 * 2},
    ),
    "model": (
        lambda: {"build_model": Trained},
        lambda: {"build_model": lambda: Trained(4)},
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("kind", ARGUMENTS)
def test_folds_of_other_arguments_are_never_returned(kind, tmp_path):
    def run(arguments):
        arguments = {
            "build_model": Trained,
            "x": ROWS,
            "y": np.arange(60) % 10,
            **arguments,
        }
        return noise.out_of_fold_probabilities(
            **arguments, folds=2, directory=tmp_path, verbose=0
        )

    same, other = ARGUMENTS[kind]
    arguments = same()
    first = run(arguments)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    # With the same objects, which are trained by now, and with equal ones.
    for again in (arguments, same()):
        np.testing.assert_array_equal(run(again), first)
    with pytest.raises(ValueError, match=r"holds folds with .*, not "):
        run(other())
    for path in tmp_path.glob("fold_*"):
        assert path.stat().st_mtime_ns == files[path]


@pytest.mark.once
def test_a_trained_callback_that_is_changed_then_is_another(tmp_path):
    frame = Frame(0.1, [])

    def run():
        return noise.out_of_fold_probabilities(
            *(Trained, ROWS, np.arange(60) % 10, 2),
            directory=tmp_path,
            verbose=0,
            callbacks=[frame],
        )

    run(), run()
    frame.extra = 5
    with pytest.raises(ValueError, match=r"callbacks\[0\].*extra"):
        run()


@pytest.mark.once
def test_what_cannot_be_compared_needs_no_folder(tmp_path):
    def run(data, **arguments):
        return noise.out_of_fold_probabilities(
            *(Trained, ROWS, np.arange(60) % 10, 2),
            verbose=0,
            validation_data=data,
            **arguments,
        )

    with pytest.raises(ValueError, match=r"`validation_data`.*leave `direc"):
        run((i for i in ROWS), directory=tmp_path / "folds")
    assert not (tmp_path / "folds").exists()
    run(i for i in ROWS)
    (tmp_path / "fold_0.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="of an earlier version"):
        run(None, directory=tmp_path)


class Untrained(keras.Sequential):
    """A network that trains instantly."""

    def fit(self, *arguments, **more):
        pass

    def predict(self, x, *arguments, **more):
        return np.full((len(x), 10), 0.1)


def test_folds_of_another_network_are_never_returned(tmp_path):
    def run(rate=0.1, q=0.7, step=1.0):
        def build_model():
            layers = [
                keras.Input((400,)),
                keras.layers.Dropout(rate),
                keras.layers.Dense(10, "softmax"),
            ]
            model = Untrained(layers)
            model.compile(keras.optimizers.SGD(step), losses.GCE(q=q))
            return model

        return noise.out_of_fold_probabilities(
            *(build_model, ROWS, np.arange(60) % 10, 2),
            directory=tmp_path,
            verbose=0,
            batch_size=30,
        )

    first = run()
    np.testing.assert_array_equal(run(), first)
    for name, message in {
        "rate": r"build_model\.layers\[1\]\.rate=0\.1",
        "q": r"build_model\.compiled\.loss\.q=0\.7",
        "step": r"build_model\.compiled\.optimizer\.learning_rate=1\.0",
    }.items():
        with pytest.raises(ValueError, match=f"{message}, not"):
            run(**{name: 0.5})
    for name in ("fold_1.npy", "folds.json"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ValueError, match=f"{name}.* a damaged file"):
            run()


@pytest.mark.once
def test_a_seek_to_a_wrong_place_is_damage(tmp_path):
    file = tmp_path / "features.npz"
    np.savez(file, rows=np.zeros(3))
    content = bytearray(file.read_bytes())
    content[-4] ^= 255  # where the index of the archive begins
    file.write_bytes(content)
    with (
        pytest.raises(ValueError, match=r"features\.npz.* a damaged file"),
        reading(file) as stream,
    ):
        np.load(stream)["rows"]


@pytest.mark.once
@pytest.mark.parametrize("fault", [OSError, MemoryError])
def test_a_fault_of_the_machine_does_not_advise_to_delete(tmp_path, fault):
    file = tmp_path / "fold_1.npy"
    file.write_bytes(b"")
    with pytest.raises(fault, match=r"^here$"), reading(file):
        raise fault("here")
