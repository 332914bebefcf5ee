"""Batches of trusted and noisy samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._random import Random
from keras_noisy._trusted import NOISY, QUERY, SHOT, trusted_mask
from keras_noisy.datasets._epochs import Epochs
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._rows import images_or_rows


class TrustedAndNoisy(Epochs):
    """The data set that `trusted_and_noisy` returns."""

    def __init__(
        self,
        dataset: Any,
        trusted: Any,
        num_classes: int | None,
        shots: int,
        queries: int,
        reader: Reader,
        **workers: Any,
    ):
        if num_classes is not None:
            num_classes = integer("num_classes", num_classes, 2)
        self._source, self._labels = images_or_rows(
            dataset, reader, num_classes
        )
        count = len(self._labels)
        self.num_classes = num_classes or int(self._labels.max()) + 1
        mask = trusted_mask(trusted, count)
        self._trusted, self._noisy = np.flatnonzero(mask), np.flatnonzero(~mask)
        # Sorted by class, so that each class is a slice.
        by_class = np.argsort(self._labels[self._trusted], kind="stable")
        self._trusted = self._trusted[by_class]
        self._counts = np.bincount(
            self._labels[self._trusted], minlength=self.num_classes
        )
        if not self._counts.all():
            missing = np.flatnonzero(self._counts == 0).tolist()
            raise invalid(
                "trusted",
                f"{len(self._trusted)} samples",
                f"a trusted sample of each of the {self.num_classes} classes, "
                f"but there is none of the classes {missing[:10]}",
            )
        if not len(self._noisy):
            expected = (
                "fewer than all samples, as the others are the noisy ones"
            )
            raise invalid("trusted", f"{len(self._trusted)} samples", expected)
        self.shots = integer("shots", shots, 1)
        self.queries = integer("queries", queries, 1)
        if self.queries > len(self._trusted):
            expected = f"at most the {len(self._trusted)} trusted samples"
            raise invalid("queries", queries, expected)
        super().__init__(reader, len(self._noisy), **workers)

    @property
    def num_samples(self) -> int:
        """Number of training samples, trusted and noisy."""
        return len(self._labels)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The size of every step."""
        shots = self.shots * self.num_classes
        return (shots + self.queries + self._reader.batch_size,)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict]:
        """The samples of a step, and their labels, indices and parts."""
        epoch, number, chosen = self._chosen(index)
        random = self._reader.random
        noisy = self._noisy[chosen]
        trusted = self._trusted
        order = random(epoch, 3, number).permutation(len(trusted))
        queries = trusted[order[: self.queries]]
        shots = trusted[self._drawn_by_class(random(epoch, 4, number))]
        samples = np.concatenate([shots, queries, noisy])
        sizes = [len(shots), len(queries), len(noisy)]
        y = {
            "label": self._labels[samples],
            "index": samples,
            "part": np.repeat([SHOT, QUERY, NOISY], sizes),
        }
        x = self._source.batch(samples, random(epoch, 1, number))
        return x, {name: values.astype("int32") for name, values in y.items()}

    def _drawn_by_class(self, random: Random) -> np.ndarray:
        """Places of the shots among the trusted samples, by class.

        A class with fewer samples than shots repeats all of them equally often,
        except for one more of some.
        """
        counts = self._counts
        classes = np.repeat(np.arange(self.num_classes), counts)
        shuffled = np.lexsort((random.uniform(len(classes)), classes))
        starts = np.cumsum(counts) - counts
        places = np.arange(self.shots)[None] % counts[:, None]
        return shuffled[(starts[:, None] + places).reshape(-1)]


def trusted_and_noisy(
    dataset: Any,
    trusted: Any,
    batch_size: int = 64,
    shots: int = 5,
    queries: int = 64,
    num_classes: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    augment: str | Callable[[Any], Any] | None = None,
    seed: int = 0,
    workers: int = 1,
    use_multiprocessing: bool = False,
    max_queue_size: int = 10,
    start: tuple[int, int] = (0, 0),
) -> TrustedAndNoisy:
    """Batches of trusted and noisy samples, for `keras_noisy.training.LDCE`.

    Use it for data in which a small part of the labels is known to be right. A
    step has `shots` trusted samples of every class, in the order of the
    classes, then `queries` trusted samples of any class, then `batch_size`
    noisy samples. An epoch has every noisy sample once, except those of the
    last incomplete batch. Trusted samples are drawn again for every step, shots
    and queries each without replacement; a class with fewer trusted samples
    than `shots` repeats some. Everything random follows from `seed`, the epoch
    and the number of the batch. Pass `shuffle=False` to `fit`, and the `start`
    of a `keras_noisy.callbacks.Resume` to continue after a restart.

    Args:
        dataset: Images and labels of all training samples, in a form that
            `ImageDataset` takes, or a pair of floats of shape `(N, ...)`, such
            as features, and integer labels.
        trusted: Which labels are known to be right: a boolean for each sample,
            or indices.
        batch_size: Number of noisy samples in a step. Defaults to `64`.
        shots: Number of trusted samples of each class in a step. Defaults to
            `5`.
        queries: Number of trusted samples of any class in a step, drawn
            independently of the shots; at most all trusted samples. Defaults
            to `64`.
        num_classes: Number of classes. Defaults to `None`, one more than the
            largest label.
        image_size: See `ImageDataset`. Defaults to `None`.
        augment: See `ImageDataset`; `None` for floats. Defaults to `None`.
        seed: Seed of everything random, an integer of at least 0.
            Defaults to `0`.
        workers: See `ImageDataset`. Defaults to `1`.
        use_multiprocessing: See `ImageDataset`. Defaults to `False`.
        max_queue_size: See `ImageDataset`. Defaults to `10`.
        start: See `ImageDataset`. Defaults to `(0, 0)`.

    Returns:
        A `keras.utils.PyDataset` of batches `(x, y)`. `x` is float32, with
        images scaled as in `ImageDataset`. `y` is a dictionary of int32 arrays
        of shape `(batch,)`: `"label"`, `"index"` of the sample in `dataset`,
        and `"part"`, 0 for shots, 1 for queries, 2 for noisy samples.

    Raises:
        ValueError: If an argument is outside its range, or a class has no
            trusted sample.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.datasets import trusted_and_noisy
    >>> x, labels = np.zeros((100, 8)), np.arange(100) % 3
    >>> data = trusted_and_noisy(
    ...     (x, labels), trusted=np.arange(30), batch_size=16, queries=8
    ... )
    >>> inputs, known = data[0]
    >>> len(data), inputs.shape, sorted(known)  # 3 * 5 + 8 + 16 samples
    (4, (39, 8), ['index', 'label', 'part'])

    References:
        - Liu, Xu, Zhang, Geng, Label distribution for learning with noisy
          labels, IJCAI 2020
    """
    reader = Reader(batch_size, image_size, augment, True, seed, None, start)
    return TrustedAndNoisy(
        dataset,
        trusted,
        num_classes,
        shots,
        queries,
        reader,
        workers=workers,
        use_multiprocessing=use_multiprocessing,
        max_queue_size=max_queue_size,
    )
