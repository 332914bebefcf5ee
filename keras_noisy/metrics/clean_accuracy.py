"""Accuracy against the true labels."""

from typing import Any

import keras
from keras import ops

from keras_noisy.metrics._clean_metric import CleanMetric


@keras.saving.register_keras_serializable("keras_noisy")
class CleanAccuracy(CleanMetric):
    """Accuracy against the clean label next to the given one.

    Use it in experiments in which the true labels are known: it shows how much
    of the truth the network has learned while it trains on wrong labels. Make
    the labels with `with_clean_labels`; a `GivenLabelLoss` hides the clean ones
    from the loss.

    Formula:

    ```
    accuracy = mean(argmax(y_pred) == clean label)
    ```

    Args:
        name: Name of the metric. Defaults to `"clean_accuracy"`.
        dtype: Dtype of the metric. Defaults to `None`, the Keras default.
        threshold: Number above which an output predicts label 1, if there is a
            single output or one for each of several labels. Pass `0.0` for
            logits. Defaults to `0.5`.
        multi_label: Whether samples have several labels with one output each.
            Defaults to `False`.

    Call arguments:
        y_true: Integer labels of shape `(N, 2)`, given and clean, or
            `(N, 3)`, with a sample index between them. Labels of shape `(N,)`
            or `(N, 1)`, as in validation, are taken as clean. With several
            labels: 0 and 1 of shape `(N, labels, 2)` or `(N, labels)`; other
            values mean an unknown label and are left out.
        y_pred: Predictions of shape `(N, num_classes)`, `(N, 1)` or `(N,)` for
            a single output, or `(N, labels)` for several labels.
        sample_weight: Weights of shape `(N,)`, or `(N, labels)` for several
            labels. Defaults to `None`.

    Returns:
        A number between 0 and 1.

    Raises:
        ValueError: If the shapes do not match.

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
        super().__init__(name, dtype, threshold, multi_label)

    def _compared(self, given: Any, clean: Any) -> tuple[Any, Any]:
        """The clean labels, of which those of several may be unknown."""
        if self.multi_label:
            return clean, ops.logical_or(clean == 0, clean == 1)
        return clean, ops.ones_like(clean, "bool")
