"""A weight of how unequal the predicted classes of a batch are."""

from typing import Any

from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses.base import _single
from keras_noisy.losses.base._arguments import Shared
from keras_noisy.losses.base._batch import Batch
from keras_noisy.losses.base._math import TINY, at_least, number_of


class Balance(Shared):
    """A number of at least 0, 0 for no such term."""

    documentation = (
        "Weight of `log(num_classes) + sum(m * log(m))`, where `m` is the mean "
        "of the plain predictions of the batch, a number of at least 0. The "
        "term is 0 if the predicted classes are balanced, and it keeps a "
        "network from predicting only a few classes. It is added to the loss "
        "of each sample, also in evaluation. On TensorFlow and in PyTorch "
        "processes, each device uses its own part of the batch. "
        "Defaults to `0.0`, no term."
    )

    def check(self, value: Any) -> float:
        """The number."""
        return real(self.name, value, 0, closed="low")

    @staticmethod
    def on_values(values: Any, batch: Batch, weight: float) -> Any:
        """Values with the term added."""
        logits = batch.logits
        if _single.is_single(logits):
            logits = _single.as_pair(logits)
        p = ops.softmax(logits, axis=-1)
        if len(p.shape) == 3:  # Several views of each sample.
            p = ops.mean(p, axis=1)
        kept = batch.labels.kept()
        count = ops.sum(ops.cast(kept, p.dtype))
        p = ops.where(kept[:, None], p, 0.0)
        mean = ops.sum(p, axis=0) / at_least(count, 1.0)
        negative_entropy = ops.sum(mean * ops.log(at_least(mean, TINY)))
        classes = number_of(batch.num_classes, p.dtype)
        return values + weight * (ops.log(classes) + negative_entropy)
