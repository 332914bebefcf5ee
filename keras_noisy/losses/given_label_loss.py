"""A loss that does not see the clean labels next to the given ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels, whole_labels
from keras_noisy._label_tensors import columns_of_each, ranked
from keras_noisy.losses.base._autograph import unconverted
from keras_noisy.losses.base.multi_label import SeveralLabels
from keras_noisy.losses.base.wrapper import Wrapper

#: Losses of outputs that have a label each.
SEVERAL = (
    SeveralLabels,
    keras.losses.BinaryCrossentropy,
    keras.losses.BinaryFocalCrossentropy,
)


@keras.saving.register_keras_serializable("keras_noisy")
class GivenLabelLoss(Wrapper):
    """Wrapper of a loss, for labels with the clean label next to them.

    For experiments in which the true labels are known: the metrics of
    `compile` can then use them in every step, while the loss only sees the
    given labels. It removes the last column of the labels. Keras' accuracy
    and `class_weight` mistake two columns for a one-hot label: use
    `keras_noisy.metrics.LabelAccuracy` and `sample_weight`.

    Formula:

    ```
    loss([given, clean], y_pred) = loss(given, y_pred)
    ```

    Args:
        loss: A loss of `keras_noisy.losses` or of Keras for integer labels.

    Call arguments:
        y_true: Integer labels of shape `(N, 2)`, given and clean, or for a
            loss with memory `(N, 3)` with the sample index between them. With
            several labels `(N, labels, 2)`, for `(N, labels)` outputs. Labels
            of shape `(N,)`, `(N, 1)` or, with several labels, `(N, labels)`,
            as in validation, go to the loss unchanged.
        y_pred: Predictions as the loss takes them.
        sample_weight: Weights as the loss takes them. Defaults to `None`.

    Returns:
        The result of the loss.

    Raises:
        ValueError: If `loss` is not a loss.

    Example:

    >>> from keras_noisy.losses import MAE, GivenLabelLoss, with_clean_labels
    >>> labels = with_clean_labels([0, 1], clean_labels=[0, 0])
    >>> float(GivenLabelLoss(MAE())(labels, [[0.5, 0.5], [0.75, 0.25]]))
    1.25

    References:
        - Arpit et al., A closer look at memorization in deep networks, ICML
          2017, arXiv 1706.05394
    """

    def __init__(self, loss: keras.losses.Loss):
        if not isinstance(loss, keras.losses.Loss):
            raise invalid("loss", loss, "a keras.losses.Loss")
        super().__init__(loss)

    def connect(self, outputs: Any) -> Any:
        """Pass the outputs of a model through the layers of the inner loss.

        Most losses have no layers and return the outputs unchanged.

        Args:
            outputs: Output of a functional model that the loss is compiled on.

        Returns:
            A tensor of the same values.
        """
        connect = getattr(self.loss, "connect", None)
        return outputs if connect is None else connect(outputs)

    @unconverted
    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Return the loss of the given labels."""
        return self.loss(self.given(y_true, y_pred), y_pred, sample_weight)

    def given(self, y_true: Any, y_pred: Any) -> Any:
        """The labels without the clean ones."""
        y_pred = ops.convert_to_tensor(y_pred)
        if isinstance(self.loss, SEVERAL) and len(y_pred.shape) == 2:
            return columns_of_each(y_true, y_pred)[..., 0]
        y_true = ranked(y_true, y_pred)
        if len(y_true.shape) == 3 == len(y_pred.shape) + 1:
            return y_true[..., 0]
        if len(y_true.shape) == 2 and y_true.shape[-1] is None:
            return y_true[:, 0]
        if len(y_true.shape) == 2 and y_true.shape[-1] in (2, 3):
            return y_true[:, :-1]
        return y_true


def with_clean_labels(labels: Any, clean_labels: Any) -> np.ndarray:
    """Labels with the clean label of each sample next to them.

    For a `GivenLabelLoss` and the metrics `CleanAccuracy`, `MemorizationRate`
    and `LabelAccuracy` of `keras_noisy.metrics`; not for `class_weight` and
    Keras' accuracy, which mistake the columns for a one-hot label.

    Formula:

    ```
    [[labels[0], clean_labels[0]], [labels[1], clean_labels[1]], ...]
    ```

    Args:
        labels: Given labels, integers of shape `(N,)` or `(N, 1)`, or with
            sample indices, from `with_index`, `(N, 2)`.
            With several labels per sample, 0 and 1 of shape `(N, labels)`, and
            any other number for an unknown label.
        clean_labels: Clean labels, integers of shape `(N,)` or `(N, 1)`, or
            `(N, labels)` like the given ones.

    Returns:
        An int64 array of shape `(N, 2)`, or `(N, 3)` with indices. With several
        labels `(N, labels, 2)`, float32 if they are not whole numbers.

    Raises:
        ValueError: If labels are not whole numbers of such shapes, or differ
            in number.

    Example:

    >>> from keras_noisy.losses import with_clean_labels
    >>> with_clean_labels([7, 5], clean_labels=[7, 3])
    array([[7, 7],
           [5, 3]])

    References:
        - Arpit et al., A closer look at memorization in deep networks, ICML
          2017, arXiv 1706.05394
    """
    if np.ndim(clean_labels) == 2 and np.shape(clean_labels)[1] > 1:
        return _of_several(labels, clean_labels)
    clean = class_labels("clean_labels", clean_labels)
    given = as_array("labels", labels)
    columns = [given] if given.ndim != 2 else list(given.T)
    if len(columns) not in (1, 2) or given.shape[0:1] != clean.shape:
        raise ValueError(
            "Invalid value for argument `labels`. Expected one for each of "
            f"the {len(clean)} clean labels, of shape (N,), (N, 1) or with "
            f"indices (N, 2). Received: labels.shape={given.shape}"
        )
    columns = [whole_labels("labels", column) for column in columns]
    return np.stack([*columns, clean], axis=1).astype("int64")


def _of_several(labels: Any, clean_labels: Any) -> np.ndarray:
    """Given and clean labels, both of shape (N, labels)."""
    arrays = {
        "labels": as_array("labels", labels),
        "clean_labels": as_array("clean_labels", clean_labels),
    }
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"Invalid value for argument `{name}`. Expected numbers. "
                f"Received: {name}.dtype={array.dtype}"
            )
    given, clean = arrays.values()
    if given.shape != clean.shape:
        raise ValueError(
            "Invalid value for argument `labels`. Expected one for each of the "
            f"clean labels, of shape {clean.shape}. Received: "
            f"labels.shape={given.shape}"
        )
    pairs = np.stack([given, clean], axis=-1)
    return pairs.astype("float32" if pairs.dtype.kind == "f" else "int64")
