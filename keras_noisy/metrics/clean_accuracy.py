"""Accuracy against the true labels."""

from typing import Any

import keras

from keras_noisy.metrics._label_columns import label_columns, share


@keras.saving.register_keras_serializable("keras_noisy")
class CleanAccuracy(keras.metrics.MeanMetricWrapper):
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

    Call arguments:
        y_true: Integer labels of shape `(N, 2)`, given and clean, or with a
            sample index between them `(N, 3)`. Labels of shape `(N,)` or
            `(N, 1)`, as in validation, are taken to be clean.
        y_pred: Predictions of shape `(N, num_classes)`.
        sample_weight: Weights of shape `(N,)`. Defaults to `None`.

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

    def __init__(self, name: str = "clean_accuracy", dtype: Any = None):
        super().__init__(_matches, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {"name": self.name, "dtype": self.dtype}


def _matches(y_true: Any, y_pred: Any) -> Any:
    _, clean, predicted = label_columns(y_true, y_pred)
    return share(predicted == clean)
