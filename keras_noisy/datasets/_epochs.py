"""Batches by number, for data sets that know their epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy.datasets._reader import Reader


class Epochs(keras.utils.PyDataset):
    """Base of data sets whose batches depend on seed, epoch and number."""

    def __init__(
        self,
        reader: Reader,
        count: int,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        self._reader, self._count = reader, count
        self._num_batches = reader.num_batches(count)
        if reader.is_resumed and (workers > 1 or use_multiprocessing):
            raise invalid(
                "workers",
                workers,
                "0 or 1, and no processes, with the `start` of a `Resume`, as "
                "Keras mixes what several have read before training into the "
                "first epoch. "
                "`pipeline` reads in parallel",
            )
        self._iteration = 0
        self._drawn: tuple[int | None, Any] = None, None

    @property
    def is_random(self) -> bool:
        """Whether samples are shuffled and changed, as in training."""
        return self._reader.training

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Sizes of the first and the last batch of an epoch."""
        size = self._reader.batch_size
        if self._reader.training:
            return (size,)
        part = len(range(self._reader.index, self._count, self._reader.count))
        return min(size, part), (part - 1) % size + 1

    def __len__(self) -> int:
        """Number of batches of an epoch, or of the rest of it."""
        return self._num_batches - self._reader.place(self._iteration)[1]

    def _place(self, index: int) -> tuple[int, int, Any]:
        """Epoch, number in it and draws of a batch in the rest of an epoch."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"Expected a batch from 0 to {len(self) - 1}. Received: {index}"
            )
        epoch, first = self._reader.place(self._iteration)
        drawn_for, drawn = self._drawn
        if drawn_for != epoch:
            drawn = self._draw(epoch)
            self._drawn = epoch, drawn
        return epoch, first + index, drawn

    def _draw(self, epoch: int) -> Any:
        """The samples of an epoch in order."""
        return self._reader.order(self._count, epoch)

    def _chosen(self, index: int) -> tuple[int, int, np.ndarray]:
        """Epoch, number and samples of a batch in the rest of an epoch."""
        epoch, number, order = self._place(index)
        size = self._reader.batch_size
        return epoch, number, order[number * size : (number + 1) * size]

    def on_epoch_end(self) -> None:
        """Shuffle again, and draw new crops."""
        self._iteration += 1
