"""The base of the metrics that compare given and clean labels."""

import abc
from typing import Any

import keras

from keras_noisy._arguments import boolean, real
from keras_noisy.metrics._label_columns import (
    label_columns,
    per_label,
    several_labels,
    share,
)


class CleanMetric(keras.metrics.Mean):
    """Share of the labels that count that are predicted."""

    def __init__(
        self, name: str, dtype: Any, threshold: float, multi_label: bool
    ):
        super().__init__(name=name, dtype=dtype)
        self.threshold = real("threshold", threshold)
        self.multi_label = boolean("multi_label", multi_label)

    @abc.abstractmethod
    def _compared(self, given: Any, clean: Any) -> tuple[Any, Any]:
        """The labels to compare with predictions, and which of them count."""

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Add a batch."""
        columns = several_labels if self.multi_label else label_columns
        given, clean, predicted = columns(y_true, y_pred, self.threshold)
        labels, counted = self._compared(given, clean)
        weight = per_label(sample_weight, counted)
        super().update_state(share(predicted == labels), weight)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "multi_label": self.multi_label,
        }
