"""Accuracy for labels that may have sample indices next to them."""

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy._label_tensors import ranked
from keras_noisy.metrics._label_columns import label_columns, share

NAN = float("nan")


@keras.saving.register_keras_serializable("keras_noisy")
class LabelAccuracy(keras.metrics.MeanMetricWrapper):
    """Accuracy against labels that may have the sample index next to them.

    Use it with losses that have a memory, such as `ELR`. Their labels are
    pairs, which the accuracy of Keras would read as one-hot labels.

    Formula:

    ```
    accuracy = mean(argmax(y_pred) == label)
    ```

    Args:
        name: Name of the metric. Defaults to `"accuracy"`.
        dtype: Dtype of the metric. Defaults to `None`, the Keras default.
        threshold: Number above which a single output predicts class 1. Pass
            `0.0` for logits. Defaults to `0.5`.

    Call arguments:
        y_true: Integer labels of shape `(N,)` or `(N, 1)`, or labels with
            indices of shape `(N, 2)`; further columns are ignored. With three
            classes or more, also one-hot or soft labels of shape
            `(N, num_classes)`, whose largest entry is the label; rows that do
            not sum to 1 make the result NaN.
        y_pred: Predictions of shape `(N, num_classes)`, or `(N, 1)` or `(N,)`
            for a single output.
        sample_weight: Weights of shape `(N,)`. Defaults to `None`.

    Returns:
        A number between 0 and 1.

    Raises:
        ValueError: If the shapes do not match.

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
                # A row that does not sum to 1 is not a target: return NaN.
                total = ops.sum(ops.cast(y_true, "float32"), axis=-1)
                wrong = ops.abs(total - 1) > 0.05
                y_true = ops.argmax(y_true, axis=-1)
            given, _, predicted = label_columns(
                y_true, y_pred, self.threshold, three=False
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
