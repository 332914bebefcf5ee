"""A folder of predictions, one file per fold, and a note of their arguments."""

import json
import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_noisy._canonical import Opaque, canonical
from keras_noisy._files import reading, write_whole
from keras_noisy._notes import claim, of_another_call

ADVICE = "Pass arrays instead, or leave `directory` out"


class SavedFolds:
    """The folds of one call of `out_of_fold_probabilities`."""

    def __init__(self, directory: Path):
        self.directory = directory

    def claim(self, model: Any, **arguments: Any) -> None:
        """Note the arguments of the call; reject a folder of another call."""
        callbacks = keras.tree.flatten(arguments.pop("callbacks", None))
        self._callbacks = [(of, _before(of)) for of in callbacks if of]
        now = {
            "build_model": canonical("build_model", model, ADVICE),
            "callbacks": [form for _, form in self._callbacks],
            **{
                name: canonical(name, of, ADVICE)
                for name, of in arguments.items()
            },
        }
        note = self.directory / "folds.json"
        if not note.exists() and any(self.directory.glob("fold_*.npy")):
            what = "folds of an earlier version of this package"
            raise of_another_call(self.directory, what)
        claim(note, now, "folds")

    def load(self, fold: int) -> np.ndarray | None:
        """The predictions of a finished fold, or `None`."""
        file = self._file(fold)
        if not file.exists():
            return None
        with reading(file) as stream:
            return np.load(stream)

    def save(self, fold: int, predicted: np.ndarray) -> None:
        """Keep the predictions of a fold."""
        write_whole(self._file(fold), lambda path: np.save(path, predicted))

    def close(self) -> None:
        """Note the state of the callbacks after training."""
        for callback, before in self._callbacks:
            _trained[callback] = before, _state(callback)

    def _file(self, fold: int) -> Path:
        return self.directory / f"fold_{fold}.npy"


#: The forms of a callback before and after its last training here. Training
#: may change its state; for the next call it still counts as the same one.
_trained: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def _state(callback: Any) -> Any:
    try:
        return canonical("callbacks", callback, ADVICE)
    except Opaque as error:
        return error


def _before(callback: Any) -> Any:
    """The form of a callback, without the changes that training here made."""
    state = _state(callback)
    before, after = _trained.get(callback, (None, None))
    if before is not None and _text(state) == _text(after):
        return before
    if isinstance(state, Opaque):
        raise state
    return state


def _text(state: Any) -> str:
    return str(state) if isinstance(state, Opaque) else json.dumps(state)
