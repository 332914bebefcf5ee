"""Where a run stands, which a callback tells the data."""


class Start(tuple):
    """Epoch and batch to begin with, which a `Resume` moves on in training.

    Without one the epochs are counted: then each look of Keras at a first
    batch is taken for an epoch, which after a restart would be the wrong one.
    """

    #: Epoch and first batch of what is read now, as long as `fit` runs.
    now: tuple[int, int] | None = None
    #: Batches of an epoch of the reader that has it.
    num_batches: int | None = None

    def of_iteration(self, number: int) -> tuple[int, int]:
        """Epoch and first batch of an iteration, counted from 0."""
        epoch, batch = self
        return self.now or (epoch + number, 0 if number else batch)
