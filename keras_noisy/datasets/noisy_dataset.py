"""Images with the labels that are given and the labels that are true."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class NoisyDataset:
    """Images with noisy labels to train on, and clean ones to judge by.

    What `load` returns. Train on `x_train` and `y_train`; `y_clean` is for
    measuring, and so are the test labels, which are always clean.

    Args:
        x_train: Training images, uint8 of shape `(N, height, width)` or
            `(N, height, width, 3)`, from 0 to 255.
        y_train: Noisy labels of them, integers of shape `(N,)`, or with
            several labels per image 0 and 1 of shape `(N, labels)`.
        y_clean: Clean labels of them, as the noisy ones.
        x_test: Test images, as the training images.
        y_test: Clean labels of the test images.
        class_names: Names of the classes, in the order of the labels.

    Returns:
        A `NoisyDataset` with these attributes, and `num_classes`, `changed`, a
        boolean array of which labels are wrong, and `rate`, their share.

    Example:

    >>> from keras_noisy.datasets import load
    >>> data = load("digits", "symmetric", rate=0.4, num_classes=100)
    >>> data
    <NoisyDataset: 30000 images of 100 classes, 40.0 % wrong>
    >>> data.x_train.shape, data.y_train.shape
    ((30000, 8, 16), (30000,))

    References:
        - Frenay, Verleysen, Classification in the presence of label noise: a
          survey, IEEE TNNLS 2014
    """

    x_train: np.ndarray
    y_train: np.ndarray
    y_clean: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def changed(self) -> np.ndarray:
        """Which of the training labels are wrong."""
        return self.y_train != self.y_clean

    @property
    def rate(self) -> float:
        """Share of wrong training labels."""
        return float(self.changed.mean())

    def __repr__(self) -> str:
        return (
            f"<NoisyDataset: {len(self.x_train)} images of "
            f"{self.num_classes} classes, {100 * self.rate:.1f} % wrong>"
        )
