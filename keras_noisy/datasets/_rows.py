"""Samples that are rows of numbers, such as features, or images."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels
from keras_noisy._random import Random
from keras_noisy.datasets._images import Images
from keras_noisy.datasets._reader import Reader
from keras_noisy.datasets._samples import samples


class Rows:
    """Reads arrays of floats unchanged."""

    def __init__(self, rows: np.ndarray, reader: Reader):
        for name in ("augment", "image_size"):
            value = getattr(reader, name)
            if value is not None:
                expected = "None, as floats are no images from 0 to 255"
                raise invalid(name, value, expected)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, chosen: np.ndarray, random: Random | None) -> np.ndarray:
        """Rows of these samples."""
        return self._rows[chosen].astype("float32")


def images_or_rows(
    dataset: Any, reader: Reader, num_classes: int | None
) -> tuple[Images | Rows, np.ndarray]:
    """A reader for the samples of a data set, and their integer labels."""
    if isinstance(dataset, tuple | list) and len(dataset) == 2:
        rows = as_array("dataset", dataset[0])
        if rows.dtype.kind == "f" and rows.ndim > 1:
            labels = class_labels("labels", dataset[1], num_classes)
            if len(labels) != len(rows) or len(rows) == 0:
                raise ValueError(
                    "Invalid value for argument `dataset`. Expected as many "
                    "labels as samples, and at least one. Received: "
                    f"{len(rows)} samples and {len(labels)} labels"
                )
            return Rows(rows, reader), labels
        if rows.dtype.kind in "biu" and rows.ndim == 2:
            raise ValueError(
                "Invalid value for argument `dataset`. Expected floats, such "
                "as features, or images. Received: whole numbers of shape "
                f"{rows.shape}. If they are features or tokens, pass them as "
                '`x.astype("float32")`'
            )
    found = samples(dataset)
    labels = class_labels("labels", found.labels, num_classes)
    return Images(found.images, reader), labels
