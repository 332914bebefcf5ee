"""Files with the whole state of a training run."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_noisy._warn import warn

#: Names of the files, which sort by epoch and batch.
NAME = "epoch_{:06d}_batch_{:09d}.npz"
PATTERN = "epoch_*_batch_*.npz"


class Checkpoint(NamedTuple):
    """The position of a run, and all of its numbers."""

    epoch: int
    #: How many batches of this epoch are done.
    batch: int
    #: The logs of the completed epochs.
    history: dict[str, list[float]]
    #: Name and value of each variable, by owner.
    state: dict[str, list[tuple[str, np.ndarray]]]
    #: The settings of the run, in canonical form.
    settings: dict[str, Any]
    #: How many batches this epoch has, None if none of them is done.
    steps: int | None = None


def check_folder(folder: Path) -> None:
    """Raise an error now, not after an epoch, if no file can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise type(error)(
            f"Cannot write in {folder}: {error.strerror}. Expected a directory "
            "for the saves of this run. Give another one"
        ) from error


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a file as a whole or not at all."""
    path = folder / NAME.format(checkpoint.epoch, checkpoint.batch)
    names: dict[str, list[str]] = {}
    arrays: dict[str, Any] = {}
    for owner, variables in checkpoint.state.items():
        names[owner] = [name for name, _ in variables]
        for i, (_, value) in enumerate(variables):
            # NumPy cannot read the short floats; float32 holds them exactly.
            short = value.dtype.kind == "V"
            arrays[f"{owner}/{i}"] = value.astype("float32") if short else value
    about = [
        checkpoint.epoch,
        checkpoint.batch,
        checkpoint.history,
        names,
        checkpoint.settings,
        checkpoint.steps,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".npz.partial")
    with open(partial, "wb") as file:
        np.savez(file, about=json.dumps(about), **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    # Also make the new name survive a power loss, if the system allows it.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path


def names(folder: Path) -> list[Path]:
    """The files in order."""
    return sorted(folder.glob(PATTERN))


def read_newest(folder: Path) -> tuple[Path, Checkpoint] | None:
    """The newest file that is not damaged, None if there is no file."""
    files = names(folder)
    for path in reversed(files):
        try:
            checkpoint = _read(path)
        except Exception as error:  # Damage can cause any exception.
            warn(f"{path} is damaged ({error!r}); the file before it is taken")
            continue
        return path, checkpoint
    if files:
        raise ValueError(
            f"Expected a whole checkpoint in {folder}. Received: "
            f"{len(files)} files, all of them damaged. Delete the folder to "
            "train from the beginning"
        )
    return None


def delete_others(folder: Path, kept: list[Path]) -> None:
    """Delete older files, and partial files that a killed process left."""
    for path in [*names(folder), *folder.glob(f"{PATTERN}.partial")]:
        if path not in kept:
            path.unlink()


def _read(path: Path) -> Checkpoint:
    # Reading an array also checks its checksum.
    with open(path, "rb") as stream, np.load(stream) as file:
        about = json.loads(str(file["about"]))
        # Files of development versions end with the settings.
        epoch, batch, history, names, settings, *steps = about
        state = {
            owner: [(name, file[f"{owner}/{i}"]) for i, name in enumerate(of)]
            for owner, of in names.items()
        }
    return Checkpoint(epoch, batch, history, state, settings, *steps)
