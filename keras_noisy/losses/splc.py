"""Self-paced correction of several labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy.layers import StepCounter
from keras_noisy.layers.connected import connected
from keras_noisy.layers.loss_state import Reference
from keras_noisy.losses.base._arguments import (
    Argument,
    number,
    typed,
    whole_number,
)
from keras_noisy.losses.base.multi_label import MultiLabelLoss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.hill import focal_margin


@keras.saving.register_keras_serializable("keras_noisy")
class SPLC(MultiLabelLoss):
    """Self-paced loss correction (SPLC), which adds missing labels.

    For several labels per sample where labels are missing: after `start`
    training batches, a label 0 counts as a 1 if the network predicts a 1 with a
    probability above `tau`. The authors start after one epoch. Pass the outputs
    of the model through `connect`, which adds a layer that counts the batches,
    so that a saved or resumed model continues where it stopped. The authors sum
    over the labels; this loss takes the mean.

    Formula:

    ```
    p = sigmoid(z)
    positive(p) = -(1 - p) ** gamma * log(p)
    negative = -p ** gamma * log(1 - p)
    negative = positive(p)       # after `start` batches, where p > tau
    loss = mean(y positive(sigmoid(z - margin)) + (1 - y) negative
                for all labels)
    ```

    where `z` is the logit of a label and `y` the label.

    Args:
        start: Number of training batches before labels are added, an integer
            of at least 0, such as `len(x) // batch_size` for one epoch. At 0
            the loss needs no `connect`.
        tau: Probability above which a label is added, a number in (0, 1).
            Defaults to `0.6`.
        margin: Margin of labels 1, a number. Defaults to `1.0`.
        gamma: Power of the weights, a number of at least 0. Defaults to `2.0`.
        step_key: Text that ties the loss to its layer in a saved model.
            Defaults to `None`, a new key.
        **kwargs: `pos_weight`, `from_logits`, `ignore_class`, `reduction`,
            `name` and `dtype`, see `keras_noisy.losses.MultiLabelLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.MultiLabelLoss`.

    Raises:
        ValueError: If an argument is outside its range, or if predictions did
            not pass through `connect`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import SPLC
    >>> x, labels = np.zeros((64, 4)), np.zeros((64, 3), int)
    >>> loss = SPLC(start=64 // 32)
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="sigmoid")(inputs)
    >>> model = keras.Model(inputs, loss.connect(outputs))
    >>> model.compile("sgd", loss)
    >>> history = model.fit(x, labels, epochs=2, verbose=0)
    >>> int(loss.counter.steps)
    4

    References:
        - Zhang et al., Simple and robust loss design for multi-label learning
          with missing labels, Preprint 2021, arXiv 2112.07368
    """

    start: int = whole_number(low=0)
    tau: float = number(0.6, 0, 1)
    margin: float = number(1.0)
    gamma: float = number(2.0, 0, closed="low")
    step_key: str | None = typed(Argument(None, kw_only=True))

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        counter = StepCounter.without_loss(self.step_key)
        self._counting = Reference(counter or StepCounter(self.step_key))
        self.step_key = self.counter.key

    @property
    def counter(self) -> StepCounter:
        """The layer that counts the training batches, see `connect`."""
        return self._counting.layer

    def connect(self, outputs: Tensor) -> Tensor:
        """Pass the outputs of a model through the layer that counts.

        Args:
            outputs: Output of a functional model that the loss is compiled on.

        Returns:
            A tensor of the same values.
        """
        return connected(outputs, [self._counting.for_new_model()])

    @staticmethod
    def formula(
        labels: Tensor,
        logits: Tensor,
        tau: float,
        margin: float,
        gamma: float,
        is_late: Any,
    ) -> Tensor:
        """Loss of each label, elementwise."""
        log_p, log_rest = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        negative = -ops.exp(gamma * log_p) * log_rest
        added = ops.logical_and(is_late, ops.sigmoid(logits) > tau)
        positive = focal_margin(logits, 0.0, gamma)
        negative = ops.where(added, positive, negative)
        positive = focal_margin(logits, margin, gamma)
        return labels * positive + (1 - labels) * negative

    def _numbers_now(self) -> dict[str, Any]:
        """The numbers, and whether labels are added now."""
        is_late: Any = True
        if self.start > 0:
            found = self._counting.use(type(self).__name__)
            # The current batch has already been counted.
            is_late = found.layer.count() > self.start
        return {**self.arguments, "is_late": is_late}
