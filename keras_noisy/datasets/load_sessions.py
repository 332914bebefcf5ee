"""Diginetica as the papers on session recommendation prepare it."""

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
    """Sessions to train on, and later ones to test with."""

    train: Sessions
    test: Sessions

    @property
    def num_items(self) -> int:
        """Number of items, which are those of the training sessions."""
        return self.train.num_items


def load_sessions(name: str, data_dir: str | Path) -> SessionSplits:
    """Load sessions of clicks by name, split by time.

    Diginetica (CIKM Cup 2016) has 719,470 training samples, 60,858 test
    samples and 43,097 items once it is prepared by the rules of SR-GNN:

    - sessions of one click are left out, then items with fewer than 5 clicks,
      then sessions that now have fewer than 2;
    - the test sessions are those of the last 7 days, and training has all
      before the day that precedes them, whose sessions are in neither, as in
      the published program;
    - items are numbered from 1 as they appear in training; others are left out
      of the test, and then sessions of fewer than 2 clicks;
    - every prefix of a session is a sample.

    Args:
        name: `"diginetica"`.
        data_dir: Folder, or one above it, with `train-item-views.csv` of the
            CIKM Cup 2016 or with `sessions.npz`. The latter has what the rules
            make of it: `train_items`, all training clicks one after the other,
            `train_lengths`, and `test_items`, `test_lengths` and
            `test_targets`, the clicks of each test sample and the next one.
            It is taken if both are there.

    Returns:
        An object with `train` and `test`, two `Sessions`, and `num_items`.

    Raises:
        ValueError: If `name` is not known, or a file is broken.
        FileNotFoundError: If `data_dir` has not the files.

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
    num_items = int(np.max(train[0]))
    return SessionSplits(
        Sessions.from_arrays(*train, num_items),
        Sessions.from_arrays(*test, num_items, file.suffix != ".npz"),
    )
