"""Accuracy where labels may have sample indices beside them."""

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy._label_tensors import ranked
from keras_noisy.metrics._label_columns import label_columns, share

NAN = float("nan")


@keras.saving.register_keras_serializable("keras_noisy")
class LabelAccuracy(keras.metrics.MeanMetricWrapper):
    """Accuracy against labels that may have the sample's index beside them.

    For losses with memory such as `ELR`, whose labels are pairs: the accuracy
    of Keras would take a pair for a one-hot label.

    Formula:

    ```
    accuracy = mean(argmax(y_pred) == label)
    ```

    Args:
        name: Name of the metric. Defaults to `"accuracy"`.
        dtype: Dtype of the metric. Defaults to `None`, that of Keras.
        threshold: Number above which a single output predicts class 1. Pass
            `0.0` for logits. Defaults to `0.5`.

    Call arguments:
        y_true: Integer labels of shape `(N,)` or `(N, 1)`, or labels with
            indices of shape `(N, 2)`; further columns are not looked at.
            With three classes or more also one-hot or soft labels of shape
            `(N, num_classes)`, of which the largest counts; rows that do not
            sum to 1 make the result NaN.
        y_pred: Predictions of shape `(N, num_classes)`, or of a single output
            `(N, 1)` or `(N,)`.
        sample_weight: Weights of shape `(N,)`. Defaults to `None`.

    Returns:
        A number between 0 and 1.

    Raises:
        ValueError: If shapes do not fit.

    Example:

    >>> from keras_noisy.metrics import LabelAccuracy
    >>> metric = LabelAccuracy()
    >>> metric.update_state([[0, 7], [1, 8]], [[0.9, 0.1], [0.8, 0.2]])
    >>> float(metric.result())
    0.5

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    def __init__(
        self,
        name: str = "accuracy",
        dtype: Any = None,
        threshold: float = 0.5,
    ):
        self.threshold = real("threshold", threshold)

        def matches(y_true: Any, y_pred: Any) -> Any:
            y_pred = ops.convert_to_tensor(y_pred)
            y_true = ranked(y_true, y_pred)
            shape, wrong = tuple(y_pred.shape), None
            one_each = len(shape) == 2 and (shape[1] or 0) > 2
            if one_each and tuple(y_true.shape[1:]) == shape[1:]:
                # What does not sum to 1 is no target: NaN shows it.
                total = ops.sum(ops.cast(y_true, "float32"), axis=-1)
                wrong = ops.abs(total - 1) > 0.05
                y_true = ops.argmax(y_true, axis=-1)
            given, _, predicted = label_columns(
                y_true, y_pred, three=False, threshold=self.threshold
            )
            matches = share(predicted == given)
            return matches if wrong is None else ops.where(wrong, NAN, matches)

        super().__init__(matches, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "threshold": self.threshold,
        }
