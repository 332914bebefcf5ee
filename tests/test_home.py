"""`~` in a path is the home folder, wherever a path is an argument."""

from pathlib import Path

import keras
import numpy as np
import pytest
from test_out_of_fold import Frequencies

from keras_noisy import noise, quality
from keras_noisy.callbacks import LabelQuality, Resume
from keras_noisy.datasets import ImageFiles

X = np.random.default_rng(0).random((12, 2)).astype("float32")
GIVEN = np.tile(np.arange(3), 4)


@pytest.mark.once
def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(work)
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(3, "softmax")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    callback = LabelQuality(X, GIVEN)
    model.fit(X, GIVEN, verbose=0, callbacks=[Resume("~/run"), callback])
    quality.features(model, X, directory="~/features", verbose=0)
    noise.out_of_fold_probabilities(
        Frequencies, X, GIVEN, 2, directory="~/folds", verbose=0
    )
    callback.save("~/scores.npz")
    callback.load("~/scores.npz")
    callback.load(b"~/scores.npz")
    page = callback.report("~/page.html", texts=[str(i) for i in range(12)])
    assert page == home / "page.html"
    (home / "made.csv").write_text("index,decision,given,new,data\n")
    assert len(callback.decisions("~/made.csv").dropped) == 0
    assert {path.name for path in home.iterdir()} == {
        *("run", "features", "folds"),
        *("scores.npz", "page.html", "made.csv"),
    }
    assert not list(work.iterdir())
    listed = ImageFiles(["~/a.png", "~b.png", "c/~/d.png"], [0, 1, 1])
    assert listed.files.tolist() == [f"{home}/a.png", "~b.png", "c/~/d.png"]
    table = {"path": [Path("~/a.png"), "b.png"], "label": [0, 1]}
    listed = ImageFiles.from_table(table, root="~/x", suffix="?")
    assert listed.files.tolist() == [f"{home}/a.png?", f"{home}/x/b.png?"]
    # A name that only begins so is no home folder.
    callback.save("~scores.npz")
    assert (work / "~scores.npz").is_file()
