"""The arguments of both readers: sizes, samples and their order."""

from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._random import Random
from keras_noisy._start import Start
from keras_noisy.datasets._augmentation import PRESETS
from keras_noisy.datasets._mix import Mix, checked

Size = tuple[int, int]


class Reader:
    """The arguments that `pipeline` and `ImageDataset` share, checked."""

    def __init__(
        self,
        batch_size: int,
        image_size: int | Size | None,
        augment: Any,
        training: bool,
        seed: int,
        shard: tuple[int, int] | None,
        start: tuple[int, int],
        sample_weight: Any = None,
        mix: Any = None,
        num_classes: int | None = None,
    ):
        self.batch_size = integer("batch_size", batch_size, 1)
        self.training = boolean("training", training)
        self.seed = integer("seed", seed, 0)
        self.augment: Any = _checked_augment(augment)
        self.is_preset = isinstance(augment, str)
        self.index, self.count = _checked_shard(shard)
        self.start = _checked_start(start, self.training)
        self.is_resumed = isinstance(start, Start)
        self.sample_weight = _checked_weight(sample_weight, self.training)
        self.mix = checked(mix, self.training)
        if mix is None and num_classes is not None:
            raise invalid("num_classes", num_classes, "None without `mix`")
        self.num_classes = num_classes
        self.image_size = _checked_size(image_size)

    def size(self, shape: tuple[int | None, ...]) -> Size:
        """Height and width of the output images.

        `shape` is the shape of the input images, None if it is not known.
        """
        if self.is_preset and shape[-1] not in (3, None):
            raise ValueError(
                f"augment={self.augment!r} is for images of 3 channels. "
                f"Received: images with {shape[-1]}. Repeat a channel three "
                "times, or use augment=None or a layer of your own"
            )
        default = PRESETS[self.augment].image_size if self.is_preset else None
        if self.image_size is not None:
            return self.image_size
        if default is not None:
            return default, default
        height, width = shape[:2]
        if height is None or width is None:
            raise invalid(
                "image_size",
                None,
                "the height and width that every image shall have, as these "
                "images can differ in size",
            )
        return height, width

    def num_batches(self, count: int) -> int:
        """Batches of an epoch, the same in every process in training."""
        weights = self.sample_weight
        if weights is not None and len(weights) != count:
            raise ValueError(
                "Invalid value for argument `sample_weight`. Expected a weight "
                f"for each of the {count} samples. Received: {len(weights)} "
                "weights. A `check` that leaves files out leaves out their "
                "weights too: make the weights from the labels that are left"
            )
        part = len(range(self.index, count, self.count))
        batches = -(-part // self.batch_size)
        if self.training:
            batches = count // self.count // self.batch_size
        if batches == 0:
            raise ValueError(
                f"Expected at least one {'whole ' * self.training}batch in "
                f"every process. Received: {count} samples, "
                f"batch_size={self.batch_size}, {self.count} processes. Give "
                "more samples or a smaller batch_size"
            )
        uneven = not self.training and count % self.count
        if uneven and keras.backend.backend() == "jax":
            raise invalid(
                "shard",
                (self.index, self.count),
                f"a number of processes that divides the {count} samples of "
                "an evaluation, as JAX needs as many in each; leave some out",
            )
        if self.is_resumed:
            self.start.num_batches = batches
        if self.start[1] >= batches:
            raise invalid(
                "start",
                self.start,
                f"a batch below {batches}, the number of them in an epoch",
            )
        return batches

    def mixer(self, labels: np.ndarray | None) -> Mix | None:
        """The mixer of batches, or None."""
        if self.mix is None:
            return None
        return Mix(self.mix, self.num_classes, labels)

    def place(self, iteration: int) -> tuple[int, int]:
        """Epoch of an iteration, counted from 0, and its first batch."""
        if self.is_resumed and self.start.now is None:
            # Keras now asks for the length of all epochs.
            return self.start[0] + iteration, 0
        return self.start.of_iteration(iteration)

    def random(self, epoch: int, *path: int) -> Random:
        """Random numbers of this process that depend on no other state."""
        return Random(self.seed, 6, self.index, epoch, *path)

    def order(self, count: int, epoch: int) -> np.ndarray:
        """The samples of this process, shuffled or drawn in training."""
        if self.sample_weight is not None:
            # All processes draw the same and each takes its part, so rare
            # samples are equally frequent in all.
            draws = Random(self.seed, 6, 0, epoch, 2).uniform(count)
            ends = np.cumsum(self.sample_weight)
            places = draws[self.index :: self.count] * ends[-1]
            return np.searchsorted(ends, places, side="right")
        part = np.arange(self.index, count, self.count)
        if self.training:
            return part[self.random(epoch, 0).permutation(len(part))]
        return part


def _checked_augment(augment: Any) -> Any:
    """`augment`, if it is None, a name, a layer or a function."""
    is_name = isinstance(augment, str)
    known = augment in PRESETS if is_name else callable(augment)
    if augment is not None and (not known or isinstance(augment, type)):
        names = ", ".join(f'"{name}"' for name in PRESETS)
        expected = f"None, {names}, a layer or a function"
        raise invalid("augment", augment, expected)
    return augment


def _checked_shard(shard: tuple[int, int] | None) -> tuple[int, int]:
    """Index and number of the processes."""
    try:
        index, count = (0, 1) if shard is None else shard
        integer("shard", count, 1)
        if not 0 <= integer("shard", index) < count:
            raise ValueError
    except (TypeError, ValueError) as error:
        expected = "(index, count) with 0 <= index < count, or None"
        raise invalid("shard", shard, expected) from error
    return index, count


def _checked_start(start: tuple[int, int], training: bool) -> Start:
    """The epoch and batch to begin with, which a `Resume` may own."""
    if isinstance(start, Start):
        if not training or start.num_batches is not None:
            raise ValueError(
                "Expected `start=resume.start` for the training data, of "
                "which there is one. Leave `start` out for others, such as "
                "validation data"
            )
        return start
    try:
        epoch, batch = (integer("start", n, 0) for n in start)
    except (TypeError, ValueError) as error:
        expected = "(epoch, batch), two integers >= 0"
        raise invalid("start", start, expected) from error
    return Start((epoch, batch))


def _checked_size(image_size: int | Size | None) -> Size | None:
    """Height and width of the output images, if they are given."""
    if image_size is None:
        return None
    sides: Any = image_size
    if not isinstance(sides, (tuple, list)):
        sides = (sides, sides)
    try:
        height, width = (integer("image_size", n, 1) for n in sides)
    except ValueError as error:
        expected = "an integer >= 1, two of them or None"
        raise invalid("image_size", image_size, expected) from error
    return height, width


def _checked_weight(value: Any, training: bool) -> np.ndarray | None:
    """Sampling weights as float64, or None."""
    if value is None:
        return None
    if not training:
        raise ValueError(
            "Invalid value for argument `sample_weight`. Expected None "
            "with training=False, where every sample comes once, in "
            "order. Leave it out"
        )
    expected = "finite numbers of at least 0, not all 0, of shape (N,)"
    weights = as_array("sample_weight", value)
    if weights.dtype.kind not in "biuf" or weights.ndim != 1:
        raise ValueError(
            f"Invalid value for argument `sample_weight`. Expected "
            f"{expected}. Received: dtype {weights.dtype}, shape "
            f"{weights.shape}. `keras_noisy.datasets.sample_weights` makes "
            "them from the weights of classes"
        )
    weights = weights.astype("float64")
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any() or not weights.any():
        found = weights[bad][:1] if bad.any() else weights[:1]
        raise invalid("sample_weight", found.tolist(), expected)
    return weights
