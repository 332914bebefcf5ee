"""Images with given labels and true labels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class NoisyDataset:
    """Images with noisy labels for training and clean labels for evaluation.

    `load` returns it. Train on `x_train` and `y_train`. `y_clean` and the test
    labels, which are always clean, are only for evaluation.

    Args:
        x_train: Training images, uint8 of shape `(N, height, width)` or
            `(N, height, width, 3)`, from 0 to 255.
        y_train: Noisy labels of the training images, integers of shape `(N,)`,
            or 0 and 1 of shape `(N, labels)` with several labels per image.
        y_clean: Clean labels of the training images, in the same form.
        x_test: Test images, in the same form as the training images.
        y_test: Clean labels of the test images.
        class_names: Names of the classes, in the order of the labels.

    Returns:
        A `NoisyDataset` with these attributes, and `num_classes`, `changed` (a
        boolean array of which labels are wrong) and `rate` (their share).

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
