"""Accuracy against the true labels."""

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import boolean, real
from keras_noisy.metrics._label_columns import (
    label_columns,
    per_label,
    several_labels,
    share,
)


@keras.saving.register_keras_serializable("keras_noisy")
class CleanAccuracy(keras.metrics.Mean):
    """Accuracy against the clean label that stands beside the given one.

    For experiments in which the true labels are known: it shows what the
    network has learned of the truth while it trains on wrong labels. Labels
    come from `with_clean_labels`, and a `GivenLabelLoss` keeps the clean ones
    from the loss.

    Formula:

    ```
    accuracy = mean(argmax(y_pred) == clean label)
    ```

    Args:
        name: Name of the metric. Defaults to `"clean_accuracy"`.
        dtype: Dtype of the metric. Defaults to `None`, that of Keras.
        threshold: Number above which an output of its own predicts the label
            1: a single output, or one of several labels. Pass `0.0` for
            logits. Defaults to `0.5`.
        multi_label: Whether samples have several labels, an output each.
            Defaults to `False`.

    Call arguments:
        y_true: Integer labels of shape `(N, 2)`, given and clean, or with a
            sample index between them `(N, 3)`. Labels of shape `(N,)` or
            `(N, 1)`, as in validation, are taken to be clean. With several
            labels 0 and 1 of shape `(N, labels, 2)`, or `(N, labels)`; others,
            which mean that the label is not known, are left out.
        y_pred: Predictions of shape `(N, num_classes)`, of a single output
            `(N, 1)` or `(N,)`, or of several labels `(N, labels)`.
        sample_weight: Weights of shape `(N,)`, or of several labels
            `(N, labels)`. Defaults to `None`.

    Returns:
        A number between 0 and 1.

    Raises:
        ValueError: If shapes do not fit.

    Example:

    >>> from keras_noisy.metrics import CleanAccuracy
    >>> metric = CleanAccuracy()
    >>> metric.update_state([[0, 1], [1, 1]], [[0.2, 0.8], [0.9, 0.1]])
    >>> float(metric.result())
    0.5

    References:
        - Arpit et al., A closer look at memorization in deep networks, ICML
          2017, arXiv 1706.05394
    """

    def __init__(
        self,
        name: str = "clean_accuracy",
        dtype: Any = None,
        threshold: float = 0.5,
        multi_label: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.threshold = real("threshold", threshold)
        self.multi_label = boolean("multi_label", multi_label)

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add a batch."""
        if self.multi_label:
            _, clean, predicted = several_labels(y_true, y_pred, self.threshold)
            counted = ops.logical_or(clean == 0, clean == 1)
        else:
            _, clean, predicted = label_columns(
                y_true, y_pred, threshold=self.threshold
            )
            counted = ops.ones_like(clean, "bool")
        weight = per_label(sample_weight, counted)
        super().update_state(share(predicted == clean), weight)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "multi_label": self.multi_label,
        }
