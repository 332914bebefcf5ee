"""A training run that continues exactly where it was stopped."""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy._canonical import canonical
from keras_noisy._differences import described_both
from keras_noisy._files import path_of
from keras_noisy._start import Start
from keras_noisy._torch_random import random_state, set_random_state
from keras_noisy.callbacks import _checkpoint
from keras_noisy.callbacks._checkpoint import Checkpoint
from keras_noisy.callbacks._lock import Lock
from keras_noisy.callbacks._settings import other_settings
from keras_noisy.distribution import process_count, process_index

ADVICE = "Give a number or a text that stands for it"


class Resume(keras.callbacks.Callback):
    """Continues a stopped run as if it had never been stopped.

    Use it for long runs on machines that may stop at any moment. If you start
    the same command again, the run continues from the last save and ends with
    the same weights as a run that was never stopped, bit for bit on the same
    machine. `keras.callbacks.BackupAndRestore` instead restarts the epoch with
    the weights from its middle, and with different data.

    A save is one file, written as a whole or not at all. It has the weights,
    the other state of layers (averages of `BatchNormalization`, seeds of
    `Dropout`, memory of `ELR`), the optimizer with its step, and the epoch and
    batch. The last two files are kept, also after training is complete: the
    same command then returns at once, with the final weights and `history`.

    Put it last in the list of callbacks, so that all others have seen an epoch
    before it is saved, but before `SwapEMAWeights`, which exchanges the weights
    for their average when an epoch ends. The state of other callbacks is not
    saved, so the same command continues training after `EarlyStopping`. The
    random state of your own `augment` is not saved either. Several processes
    share the directory, and the first one writes. On TensorFlow, the metrics of
    a resumed epoch are complete if they are sums and counts, as all Keras
    metrics are.

    Args:
        directory: Folder for the saves of this run, created when needed.
        save_freq: `"epoch"` to save at the end of each epoch, or an integer
            to also save each time this many batches are done, which needs data
            from `pipeline` or `ImageDataset`. Defaults to `"epoch"`.
        settings: Settings of the run by name, such as seed, noise rate and
            learning rate; it is an error to continue with others. Values are
            numbers, text, arrays, sets, paths, functions and Keras objects
            such as a loss, or lists and dictionaries of these. Defaults to
            `None`, nothing to compare.

    Returns:
        A `keras.callbacks.Callback` with the attributes

        - `initial_epoch`, for `fit`: number of completed epochs.
        - `start`, for `pipeline` or `ImageDataset`: epoch and batch to
          continue from, `(0, 0)` in a new run.
        - `history`: logs of all completed epochs, a list for each name. The
          `History` of `fit` has only the epochs since the last start.

    Raises:
        ValueError: If an argument is outside its range, if `settings` has
            values that cannot be compared, if all files in the directory are
            damaged, or if the directory belongs to a run with other settings.
            In `fit`, if another run uses the directory or has saved in it, if
            the saved model or, in the middle of an epoch, the number of
            batches is different, if `initial_epoch` or, for saves within
            epochs, `start` was not passed, or if the last `fit` with this
            callback was interrupted.
        OSError: In `fit`, if files cannot be written in the directory.

    Example:

    >>> import tempfile
    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.callbacks import Resume
    >>> from keras_noisy.datasets import ImageDataset
    >>> images, labels = np.zeros((64, 8, 8, 3), "uint8"), np.zeros(64, int)
    >>> def train(directory):
    ...     model = keras.Sequential(
    ...         [
    ...             keras.Input((8, 8, 3)),
    ...             keras.layers.Flatten(),
    ...             keras.layers.Dense(2, activation="softmax"),
    ...         ]
    ...     )
    ...     model.compile("sgd", "sparse_categorical_crossentropy")
    ...     resume = Resume(directory, save_freq=3)
    ...     print(resume.initial_epoch, resume.start)
    ...     model.fit(
    ...         ImageDataset(
    ...             (images, labels), 8, training=True, start=resume.start
    ...         ),
    ...         epochs=2,
    ...         initial_epoch=resume.initial_epoch,
    ...         shuffle=False,
    ...         verbose=0,
    ...         callbacks=[resume],
    ...     )
    ...     return len(resume.history["loss"])
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     train(directory), train(directory)
    0 (0, 0)
    2 (2, 0)
    (2, 2)

    References:
        - Mohan, Phanishayee, Chidambaram, CheckFreq: frequent, fine-grained
          DNN checkpointing, FAST 2021
    """

    def __init__(
        self,
        directory: str | Path,
        save_freq: int | str = "epoch",
        settings: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        if save_freq != "epoch":
            try:
                integer("save_freq", save_freq, 1)
            except ValueError as error:
                expected = '"epoch" or an integer >= 1'
                raise invalid("save_freq", save_freq, expected) from error
        self.directory = path_of(directory)
        self.save_freq = save_freq
        self._given = dict(settings or {})
        self.settings = {
            str(name): canonical(f"settings[{name!r}]", value, ADVICE)
            for name, value in self._given.items()
        }
        self._lock = Lock(self.directory)
        self.start = Start((0, 0))
        self.history: dict[str, list[float]] = {}
        self._files: list[Path] = []
        #: Active from the last batch of a resumed epoch to the next callback.
        self._ignoring = contextlib.ExitStack()
        #: Whether `fit` runs with this callback.
        self._runs = False
        #: The save to continue from, until its epoch is done.
        self._saved: Checkpoint | None = None
        self._seen = _checkpoint.names(self.directory)
        found = _checkpoint.read_newest(self.directory)
        if found:
            path, self._saved = found
            self._files = [path]
            self._compare(self._saved.settings)
            self.start = Start((self._saved.epoch, self._saved.batch))
            self.history = self._saved.history
        self.initial_epoch = self.start[0]

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Load what was saved."""
        if self._runs:
            raise ValueError(
                "The last `fit` with this `Resume` was interrupted. Make a "
                "new one, and new data with its `start`, to continue from the "
                "last save"
            )
        if process_index() == 0:
            if self.initial_epoch < self.params["epochs"]:
                _checkpoint.check_folder(self.directory)
            self._lock.acquire()
        try:
            self._check()
            self._begin()
        except BaseException:
            self._lock.release()
            raise

    def _check(self) -> None:
        """Raise if this run cannot continue the saved one."""
        seen = _checkpoint.names(self.directory)
        if process_index() == 0 and seen != self._seen:
            raise ValueError(
                f"Another run has saved in {self.directory} since this "
                "`Resume` was made. Make a new one, and new data with its "
                "`start`, to continue from the last save"
            )
        in_the_middle = self.start[1] or self.save_freq != "epoch"
        num_batches = self.start.num_batches
        if in_the_middle and num_batches is None:
            raise ValueError(
                "Expected data that can be read from the middle of an epoch "
                "on. Pass `start=resume.start` to `pipeline` or "
                '`ImageDataset`, or save with `save_freq="epoch"` alone. '
                f"Received: save_freq={self.save_freq!r}, start={self.start}"
            )
        if num_batches not in (None, self.params["steps"]):
            raise ValueError(
                f"Expected `fit` to run {num_batches} batches in an epoch, "
                "as many as the data have, to continue in its middle. Leave "
                "`steps_per_epoch` out, and change images and labels before "
                "`pipeline`, not the batches that it returns. Received: "
                f"{self.params['steps']} batches"
            )
        saved = self._saved
        if saved and saved.steps not in (None, num_batches):
            raise ValueError(
                f"Expected the {saved.steps} batches of an epoch that "
                f"{self._files[-1]} was saved in, as it is in the middle of "
                "one. Continue with the same data, batch size and number of "
                f"processes. Received: {num_batches} batches"
            )
        if not self.model.built:
            raise ValueError(
                "Expected a model whose weights exist. Give it a "
                "`keras.Input`, or call it on a batch before `fit`"
            )

    def _begin(self) -> None:
        model = self.model
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._runs = True
        self._random_state: list[tuple[str, np.ndarray]] = []
        if self._saved:
            self._random_state = self._saved.state.get("random", [])
            self._load("model")
            self._load("optimizer")
            if self.params.get("verbose"):
                is_done = self.initial_epoch >= self.params["epochs"]
                what = "all epochs are done in" if is_done else "goes on from"
                print(f"Resume: {what} {self._files[-1]}")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Tell the data which epoch begins."""
        if self.start.now is None and epoch != self.initial_epoch:
            raise ValueError(
                "Expected `fit` to begin where the run stands. Pass "
                "`initial_epoch=resume.initial_epoch`. Received: "
                f"initial_epoch={epoch}, not {self.initial_epoch}"
            )
        saved = self._saved
        self._batch = saved.batch if saved else 0
        self.start.now = epoch, self._batch
        # TensorFlow makes the metrics of `compile` in the first step.
        made = len(self._variables("metrics"))
        if saved and saved.batch and made >= len(saved.state["metrics"]):
            self._load("metrics")

    def on_train_batch_begin(
        self, batch: int, logs: dict | None = None
    ) -> None:
        """End an epoch whose first batches were done before."""
        if batch == 0:
            # Restore the state after the last step: Keras also draws between
            # epochs, and draws less often if an epoch begins in its middle.
            set_random_state(self._random_state)
        done = self._saved.batch if self._saved else 0
        if done and done + batch >= self.params["steps"]:
            # Keras takes this as the end of the data. If TensorFlow found the
            # end within a step, it would still run the rest of that step.
            raise StopIteration

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Save if a save is due."""
        self._random_state = random_state()
        if self._saved and "metrics" in self._saved.state:
            self._load("metrics", add=True)
        before, offset = self._batch, self._saved.batch if self._saved else 0
        self._batch = offset + batch + 1
        if offset and self._batch >= self.params["steps"]:
            # Keras asks only once for the number of batches of an epoch, and
            # warns about fewer before the next callback.
            self._ignoring.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Your input ran out of data;")
        every = self.save_freq
        if isinstance(every, str) or self._batch >= self.params["steps"]:
            return
        if self._batch // every > before // every:
            epoch, _ = cast(tuple[int, int], self.start.now)
            self._save(epoch, self._batch, ("metrics",))

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Show all warnings again when validation begins."""
        self._ignoring.close()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save."""
        self._ignoring.close()
        self._saved = None
        if self._batch < (self.params["steps"] or 0):
            return  # Stopped in the middle: the last save stands.
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(np.asarray(value).tolist())
        self._save(epoch + 1, 0)
        self.initial_epoch = epoch + 1

    def on_train_end(self, logs: dict | None = None) -> None:
        """Let the data count their own epochs again."""
        self._saved = self.start.now = None
        self._runs = False
        self._lock.release()

    def _compare(self, saved: dict[str, Any]) -> None:
        found = other_settings(saved, self.settings, self._given)
        if found:
            there, here = described_both(found)
            raise ValueError(
                f"{self.directory} is a run with {there}. Give another "
                f"directory. Received: {here}"
            )

    def _variables(self, owner: str) -> list[keras.Variable]:
        model = self.model
        if owner == "metrics":
            return model.metrics_variables
        return (model if owner == "model" else model.optimizer).variables

    def _save(self, epoch: int, batch: int, more: tuple[str, ...] = ()) -> None:
        # Every process reads, because some variables are sharded.
        state = {
            owner: [
                (variable.path, np.asarray(ops.convert_to_numpy(variable)))
                for variable in self._variables(owner)
            ]
            for owner in ("model", "optimizer", *more)
        }
        if process_index() != 0:
            return
        if process_count() == 1:
            state["random"] = self._random_state
        checkpoint = Checkpoint(
            epoch,
            batch,
            self.history,
            state,
            self.settings,
            self.start.num_batches if batch else None,
        )
        self._files.append(_checkpoint.write(self.directory, checkpoint))
        del self._files[:-2]
        _checkpoint.delete_others(self.directory, self._files)
        self._seen = sorted(self._files)

    def _load(self, owner: str, add: bool = False) -> None:
        """Assign the saved values once, or add them to the current values."""
        saved = cast(Checkpoint, self._saved).state.pop(owner)
        variables = self._variables(owner)
        there = [f"{_plain(name)} {value.shape}" for name, value in saved]
        here = [f"{_plain(v.path)} {tuple(v.shape)}" for v in variables]
        pairs = itertools.zip_longest(there, here, fillvalue="nothing")
        for number, (left, right) in enumerate(pairs):
            if left != right:
                raise ValueError(
                    f"{self._files[-1]} is of another model: {owner} variable "
                    f"{number} is {left} there and {right} here "
                    f"({len(there)} and {len(here)} in all). Build the model "
                    "as it was, or give another directory"
                )
        for (_, value), variable in zip(saved, variables, strict=True):
            if add:
                value = value + np.asarray(ops.convert_to_numpy(variable))
            variable.assign(value)


def _plain(path: str) -> str:
    """A name without the numbers that Keras gives to layers."""
    return re.sub(r"_\d+(?=[_/]|$)", "", path)
