"""The position of a run, which a callback passes to the data."""


class Start(tuple):
    """Epoch and batch to start with, which a `Resume` updates in training.

    Without a `Resume`, epochs are counted by their first batches. Keras may
    read a first batch more often, so the epoch would be wrong after a restart.
    """

    #: Epoch and first batch of the current iteration, while `fit` runs.
    now: tuple[int, int] | None = None
    #: Number of batches of an epoch of the reader.
    num_batches: int | None = None

    def of_iteration(self, number: int) -> tuple[int, int]:
        """Epoch and first batch of an iteration, counted from 0."""
        epoch, batch = self
        return self.now or (epoch + number, 0 if number else batch)
