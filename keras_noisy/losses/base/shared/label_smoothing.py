"""A share of each label that is spread over all classes."""

from typing import Any

from keras_noisy._arguments import real
from keras_noisy.losses.base._arguments import Shared
from keras_noisy.losses.base._batch import Batch
from keras_noisy.losses.base._smoothed import smoothed


class LabelSmoothing(Shared):
    """A number in [0, 1], 0 for labels as they are."""

    documentation = (
        "Share `e` of each label that is spread over all classes, a number in "
        "[0, 1]. The loss uses the soft targets "
        "`(1 - e) * onehot(y_true) + e / num_classes`, without building their "
        "matrix if it is linear in the targets. Soft targets are smoothed "
        "too. Smoothing applies in training and in evaluation; "
        '`"auto"` values of other arguments do not depend on '
        "it. Defaults to `0.0`."
    )

    def check(self, value: Any) -> float:
        """The number."""
        return real(self.name, value, 0, 1, "low high")

    @staticmethod
    def on_labels(batch: Batch, rate: float) -> Batch:
        """A batch with smoothed labels."""
        dtype = batch.logits.dtype
        labels = smoothed(batch.labels, rate, batch.num_classes, dtype)
        return batch._replace(labels=labels)
