"""Share of the wrong labels that a network predicts."""

from typing import Any

import keras
from keras import ops

from keras_noisy.metrics._clean_metric import CleanMetric


@keras.saving.register_keras_serializable("keras_noisy")
class MemorizationRate(CleanMetric):
    """Share of the corrupted samples whose wrong label is predicted.

    A network that has not memorized the noise predicts these labels only by
    chance. Watch it together with `CleanAccuracy`: it rises when the network
    begins to memorize the wrong labels. Make the labels with
    `with_clean_labels`; a `GivenLabelLoss` hides the clean ones from the loss.

    Formula:

    ```
    rate = mean(argmax(y_pred) == given label, where given != clean)
    ```

    Args:
        name: Name of the metric. Defaults to `"memorization_rate"`.
        dtype: Dtype of the metric. Defaults to `None`, the Keras default.
        threshold: Number above which an output predicts label 1, if there is a
            single output or one for each of several labels. Pass `0.0` for
            logits. Defaults to `0.5`.
        multi_label: Whether samples have several labels with one output each.
            Defaults to `False`.

    Call arguments:
        y_true: Integer labels of shape `(N, 2)`, given and clean, or
            `(N, 3)`, with a sample index between them. Labels of shape `(N,)`
            or `(N, 1)`, as in validation, are taken as not corrupted. Negative
            labels, which mean that there is no label, are left out. With
            several labels: 0 and 1 of shape `(N, labels, 2)`; other values are
            left out.
        y_pred: Predictions of shape `(N, num_classes)`, `(N, 1)` or `(N,)` for
            a single output, or `(N, labels)` for several labels.
        sample_weight: Weights of shape `(N,)`, or `(N, labels)` for several
            labels. Defaults to `None`.

    Returns:
        A number between 0 and 1; 0 if no sample is corrupted.

    Raises:
        ValueError: If the shapes do not match.

    Example:

    >>> from keras_noisy.metrics import MemorizationRate
    >>> metric = MemorizationRate()
    >>> given_and_clean = [[0, 1], [1, 0], [1, 1]]
    >>> metric.update_state(given_and_clean, [[1, 0], [1, 0], [0, 1]])
    >>> float(metric.result())
    0.5

    References:
        - Arpit et al., A closer look at memorization in deep networks, ICML
          2017, arXiv 1706.05394
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    def __init__(
        self,
        name: str = "memorization_rate",
        dtype: Any = None,
        threshold: float = 0.5,
        multi_label: bool = False,
    ):
        super().__init__(name, dtype, threshold, multi_label)

    def _compared(self, given: Any, clean: Any) -> tuple[Any, Any]:
        """The given labels, of which those known to be wrong count."""
        if not self.multi_label:
            return given, ops.logical_and(given != clean, given >= 0)
        known = ops.logical_or(given == 0, given == 1)
        # The clean label may also be unknown.
        return given, ops.logical_and(known, clean == 1 - given)
