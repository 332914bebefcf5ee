"""Diginetica, prepared as in papers on session recommendation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy.datasets import _files
from keras_noisy.datasets._session_files import official, prepared
from keras_noisy.datasets.sessions import Sessions

SOURCE = "https://competitions.codalab.org/competitions/11161"


@dataclass(frozen=True, eq=False)
class SessionSplits:
    """Sessions for training, and later ones for testing."""

    train: Sessions
    test: Sessions

    @property
    def num_items(self) -> int:
        """Number of items in the training sessions."""
        return self.train.num_items


def load_sessions(name: str, data_dir: str | Path) -> SessionSplits:
    """Load sessions of clicks by name, split by time.

    Diginetica (CIKM Cup 2016) has 719,470 training samples, 60,858 test
    samples and 43,097 items once it is prepared by the rules of SR-GNN:

    - sessions with one click are left out, then items with fewer than 5 clicks,
      then sessions that now have fewer than 2 clicks;
    - the last 7 days are the test sessions; the day before them is in neither
      part, as in the published program; all earlier sessions are for training;
    - items are numbered from 1 as they appear in training; other items are left
      out of the test, and then sessions with fewer than 2 clicks;
    - every prefix of a session is a sample.

    Args:
        name: `"diginetica"`.
        data_dir: Folder, or one above it, with `train-item-views.csv` of the
            CIKM Cup 2016 or with `sessions.npz`, which is preferred. This file
            has the prepared data: `train_items`, all training clicks one after
            the other, `train_lengths`, and `test_items`, `test_lengths` and
            `test_targets`, the clicks of each test sample and the next click.

    Returns:
        An object with `train` and `test`, two `Sessions`, and `num_items`.

    Raises:
        ValueError: If `name` is not known, or a file is broken.
        FileNotFoundError: If the files are not in `data_dir`.

    Example:

    >>> from keras_noisy.datasets import load_sessions
    >>> load_sessions("diginetica", "nowhere")
    Traceback (most recent call last):
    ...
    FileNotFoundError: Expected `data_dir`, or a folder in it, to have ...
    """
    if name != "diginetica":
        raise invalid("name", name, '"diginetica"')
    file = _files.find(
        data_dir, "sessions.npz", "train-item-views.csv", source=SOURCE
    )
    with _files.reading(file, SOURCE):
        if file.suffix == ".npz":
            train, test = prepared(file)
        else:
            train, test = official(file)
    try:
        num_items = int(np.max(train[0], initial=0))
        return SessionSplits(
            Sessions.from_arrays(*train, num_items),
            Sessions.from_arrays(*test, num_items, file.suffix != ".npz"),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Expected {file} to have sessions as `load_sessions` describes "
            f"them. Received: {error}"
        ) from error
