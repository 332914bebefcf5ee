"""Batches of sessions for `fit`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import boolean, invalid
from keras_noisy._random import Random
from keras_noisy.datasets._epochs import Epochs
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets.sessions import Sessions

#: Number of batches whose samples are sorted by length together.
WINDOW = 64
#: Shortest row of clicks; each longer one has twice the length.
SHORTEST = 4


class SessionDataset(Epochs):
    """Batches of sessions of similar length, for `fit` and `evaluate`.

    The rows of a batch are padded with zeros to 4, 8, 16, ... columns, so that
    few programs are compiled. To compute less padding in training, the samples
    are shuffled, and the samples of 64 batches at a time are sorted by length
    before they are cut into batches; the batches come in random order. The
    model makes the graph of a session from its clicks.

    Training drops the samples of the last incomplete batch, which are different
    ones in each epoch. Everything random follows from `seed` and the epoch.
    `fit` also shuffles the order of batches with Python's random numbers: pass
    `shuffle=False`. To continue after a restart of the process, pass the
    `start` of a `keras_noisy.callbacks.Resume`. In several processes, give each
    one its `shard`; all processes have rows of the same length in a step.

    Args:
        sessions: A `Sessions`.
        batch_size: Number of samples in a batch. Defaults to `100`.
        training: Whether to shuffle. Defaults to `False`.
        by_length: Whether samples of similar length share a batch. Defaults to
            `None`: only in training. In evaluation, samples otherwise stay in
            order, as `predict` needs them; `evaluate` is faster with `True`.
        seed: An integer of at least 0. Defaults to `0`.
        shard: `(index, count)` of this process among all. Defaults to `None`,
            all samples.
        start: `(epoch, batch)`, counted from 0, to begin with, or the `start`
            of a `keras_noisy.callbacks.Resume`. Defaults to `(0, 0)`.

    Returns:
        A `keras.utils.PyDataset` of batches `(clicks, labels)`: clicks int32
        of shape `(batch, columns)`, item numbers from 1 and zeros at the end
        of a row; labels int32 of shape `(batch,)`, the number of the next item
        minus 1, which is its column in the scores.

    Raises:
        ValueError: If an argument is outside its range, or if there are too few
            samples for a batch.

    Example:

    >>> from keras_noisy.datasets import SessionDataset, Sessions
    >>> data = SessionDataset(Sessions([[3, 8, 2, 9], [4, 4]]), batch_size=4)
    >>> clicks, labels = data[0]
    >>> clicks.tolist()
    [[3, 8, 2, 0], [3, 8, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0]]
    >>> labels.tolist()
    [8, 1, 7, 3]

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
    """

    def __init__(
        self,
        sessions: Any,
        batch_size: int = 100,
        training: bool = False,
        by_length: bool | None = None,
        seed: int = 0,
        shard: tuple[int, int] | None = None,
        start: tuple[int, int] = (0, 0),
    ):
        if not isinstance(sessions, Sessions):
            expected = "a `keras_noisy.datasets.Sessions`"
            raise invalid("sessions", type(sessions), expected)
        reader = Reader(batch_size, None, None, training, seed, shard, start)
        super().__init__(reader, len(sessions))
        if by_length is None:
            by_length = training
        self._by_length = boolean("by_length", by_length)
        self._sessions = sessions
        self._lengths = sessions.lengths
        self._labels = sessions.targets - 1

    @property
    def is_random(self) -> bool:
        """Whether samples have another order than in the sessions."""
        return super().is_random or self._by_length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The clicks and labels of a batch of this epoch."""
        _, number, batches = self._place(index)
        whole = batches[number]
        columns = self._columns(whole)
        if keras.backend.backend() == "tensorflow" and index < 2:
            columns = self._columns_of_first(index, columns)
        chosen = whole[self._reader.index :: self._reader.count]
        return self._sessions.padded(chosen, columns), self._labels[chosen]

    def _draw(self, epoch: int) -> list[np.ndarray]:
        """Samples of each batch, over all processes."""
        reader, count = self._reader, len(self._sessions)
        size = reader.batch_size * reader.count
        order, window = np.arange(count), count
        random = Random(reader.seed, 6, 0, epoch, 0)
        if reader.training:
            order = random.permutation(count)[: count // size * size]
            window = WINDOW * size
        if self._by_length:
            order = np.concatenate(
                [
                    part[np.argsort(self._lengths[part], kind="stable")]
                    for part in np.split(
                        order, range(window, len(order), window)
                    )
                ]
            )
        batches = np.split(order, range(size, len(order), size))
        if reader.training and self._by_length:
            return [batches[i] for i in random.permutation(len(batches))]
        return batches

    def _columns(self, samples: Any) -> int:
        """Columns for these samples: 4, 8, 16, ..."""
        columns, longest = SHORTEST, int(self._lengths[samples].max())
        while columns < longest:
            columns *= 2
        return columns

    def _columns_of_first(self, index: int, columns: int) -> int:
        """Columns of the first two batches, if TensorFlow reads the data.

        Keras takes the shape that these two have in common for all batches.
        """
        start = self._reader.start
        all_columns = self._columns(slice(None))
        if all_columns == SHORTEST or start.now is not None:
            return columns
        if index == 0:
            return all_columns
        return 2 * all_columns if columns == all_columns else columns
