"""Mixes the images and labels of batches, once for both readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._label_arrays import other_numbers
from keras_noisy._random import Random
from keras_noisy.datasets._augmentation import shape_of

MIXES = ("mixup", "cutmix")
#: Random numbers per image: its partner, the share, the center of a box.
DRAWS = 4


class Mix:
    """How batches are mixed, and the classes of their labels.

    Args:
        mix: The name of a mix, or a function.
        num_classes: Number of classes, or None to take it from the labels.
        labels: All labels, or None if they are not known before reading.
    """

    def __init__(self, mix: Any, num_classes: Any, labels: np.ndarray | None):
        self.mix = mix
        self.is_soft = labels is not None and _are_soft(labels)
        if num_classes is not None:
            num_classes = integer("num_classes", num_classes, 2)
        found = num_classes
        if labels is None:
            if num_classes is None:
                raise invalid(
                    "num_classes",
                    None,
                    "the number of classes, which the labels of a "
                    "tf.data.Dataset do not tell before they are read",
                )
        elif self.is_soft:
            found = labels.shape[1]
            if num_classes not in (None, found):
                raise invalid("num_classes", num_classes, f"{found}, or None")
        else:
            found = _class_count(labels, num_classes)
        self.num_classes: int = found

    def in_numpy(
        self, images: np.ndarray, labels: np.ndarray, random: Random
    ) -> tuple[np.ndarray, np.ndarray]:
        """A batch of `ImageDataset`."""
        targets = labels.astype("float32")
        if not self.is_soft:
            index = labels.reshape(-1).astype("int64")
            targets = np.eye(self.num_classes, dtype="float32")[index]
        if callable(self.mix):
            seed = (2**31 * random.uniform(2)).astype("int32")
            return _as_given(self.mix(images, targets, seed), images, targets)
        draws = random.uniform(DRAWS * len(images)).astype("float32")
        draws = draws.reshape(DRAWS, -1)
        order = np.argsort(draws[0], kind="stable")
        return self._mixed(
            (images, images[order]),
            (targets, targets[order]),
            draws[1:],
            (np.where, np.sqrt, np.mean),
        )

    def in_tensorflow(
        self, tf: Any, images: Any, labels: Any, seed: Any
    ) -> tuple[Any, Any]:
        """A batch of `pipeline`."""
        if self.is_soft:
            targets = tf.cast(labels, tf.float32)
        else:
            targets = self._one_hot(tf, labels)
        if callable(self.mix):
            return _as_given(self.mix(images, targets, seed), images, targets)
        draws = tf.random.stateless_uniform((DRAWS, tf.shape(images)[0]), seed)
        order = tf.argsort(draws[0], stable=True)
        return self._mixed(
            (images, tf.gather(images, order)),
            (targets, tf.gather(targets, order)),
            draws[1:],
            (tf.where, tf.sqrt, tf.reduce_mean),
        )

    def _one_hot(self, tf: Any, labels: Any) -> Any:
        """Integer labels as soft ones; those of a Dataset were not checked."""
        if labels.shape[1:].num_elements() not in (None, 1):
            raise ValueError(
                "Invalid value for argument `dataset`. Expected one integer "
                "label for each image of a tf.data.Dataset, which `mix` makes "
                f"soft. Received: labels of shape {tuple(labels.shape)}. Take "
                "`tf.argmax(label, -1)` of one-hot labels in `dataset.map`"
            )
        labels = tf.reshape(labels, (-1,))
        index = tf.cast(labels, tf.int64)
        fits = (index >= 0) & (index < self.num_classes)
        fits &= tf.cast(index, labels.dtype) == labels
        expected = (
            f"Expected `mix` to read labels in [0, {self.num_classes}). Leave "
            "other samples out by `dataset.filter`. Received: labels"
        )
        tf.debugging.Assert(
            tf.reduce_all(fits), [expected, tf.boolean_mask(labels, ~fits)]
        )
        return tf.one_hot(index, self.num_classes)

    def _mixed(
        self,
        images: tuple[Any, Any],
        targets: tuple[Any, Any],
        draws: Any,
        functions: tuple[Callable[..., Any], ...],
    ) -> tuple[Any, Any]:
        """Images and targets, mixed with those of their partners."""
        where, root, mean = functions
        own: Any = draws[0][:, None, None, None]
        if self.mix == "cutmix":
            # A box of the share of the partner, cut off at the edges.
            half = root(1 - draws[0])[:, None] / 2
            height, width = images[0].shape[1:3]
            rows, columns = (
                abs((np.arange(size, dtype="float32") + 0.5) / size - center)
                < half
                for size, center in (
                    (height, draws[1][:, None]),
                    (width, draws[2][:, None]),
                )
            )
            box = (rows[:, :, None] & columns[:, None, :])[..., None]
            own = where(box, np.float32(0), np.float32(1))
        share = mean(own, axis=(1, 2, 3))[:, None]
        return (
            own * images[0] + (1 - own) * images[1],
            share * targets[0] + (1 - share) * targets[1],
        )


def checked(mix: Any, training: bool) -> Any:
    """`mix`, checked."""
    if mix is None:
        return None
    named = isinstance(mix, str) and mix in MIXES
    if not named and (isinstance(mix, type) or not callable(mix)):
        names = ", ".join(f'"{name}"' for name in MIXES)
        raise invalid("mix", mix, f"None, {names} or a function")
    if not training:
        raise ValueError(
            "Invalid value for argument `mix`. Expected None with "
            "training=False, where images and labels stay as they are. Leave "
            "it out"
        )
    return mix


def _as_given(mixed: Any, images: Any, targets: Any) -> tuple[Any, Any]:
    """The result of the user's function, if its shapes are unchanged."""
    is_pair = isinstance(mixed, tuple | list) and len(mixed) == 2
    shapes = [shape_of(x) for x in mixed] if is_pair else type(mixed)
    expected = [tuple(images.shape), tuple(targets.shape)]
    if shapes != expected:
        raise ValueError(
            "Expected `mix` to return images and soft labels in the shapes "
            f"that it was given, {expected}. Received: {shapes}"
        )
    return mixed[0], mixed[1]


def _are_soft(labels: np.ndarray) -> bool:
    """Whether labels are distributions; an error for other rows."""
    if labels.ndim == 1 or labels.shape[1] == 1:
        return False
    sums = labels.sum(axis=1)
    if np.any(labels < 0) or np.any(abs(sums - 1) > 1e-3):
        raise ValueError(
            "Invalid value for argument `labels`. Expected one label for each "
            "image, or soft ones whose rows sum to 1, as `mix` makes soft "
            "labels. Received: rows of other numbers. Labels with an index or "
            "with the clean label beside them cannot be mixed"
        )
    return True


def _class_count(labels: np.ndarray, num_classes: int | None) -> int:
    """The number of classes of integer labels, which must be in its range."""
    # One column of ones would be read as labels of class 1.
    count = num_classes or max(2, int(labels.max()) + 1)
    whole = labels == np.floor(labels)
    bad = ~(whole & (labels >= 0) & (labels < count)).reshape(len(labels), -1)
    if bad.any():
        raise invalid(
            "labels",
            labels[bad.any(axis=1)].flat[0].item(),
            f"labels in [0, {count}), which `mix` can make soft"
            + (other_numbers(labels, count) or ". Leave other samples out"),
        )
    return count
