"""Optimized gradient clipping."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from keras_noisy.calibration.fresh import Fresh
from keras_noisy.layers.loss_history import LossHistory, history_of_loss
from keras_noisy.layers.loss_state import Reference
from keras_noisy.losses import _clipped
from keras_noisy.losses._schedule import at, scheduled
from keras_noisy.losses.base import _single
from keras_noisy.losses.base._arguments import (
    Argument,
    Choice,
    number,
    typed,
    whole_number,
)
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._of_label import log_probability
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss
from keras_noisy.losses.cross_entropy import CrossEntropy
from keras_noisy.losses.focal import Focal
from keras_noisy.losses.gce import GCE

BASES = {"cross_entropy": CrossEntropy, "focal": Focal, "gce": GCE}


class Rate(Argument):
    """A learning rate or its schedule."""

    def check(self, value: Any) -> Any:
        """The number or the schedule."""
        return scheduled(self.name, value, float("inf"))

    def config(self, value: Any) -> Any:
        """The number, or the schedule, serialized."""
        return keras.saving.serialize_keras_object(value)


@robust_loss
class OGC(TrueClassLoss):
    """Cross-entropy with a gradient clip that follows the losses (OGC).

    Wrong labels have large gradients once a network has learned something. A
    fixed threshold is right for only one phase of training. OGC keeps the
    cross-entropies of the last samples and fits two Gaussians to them, for
    clean and for noisy labels. It chooses the threshold such that the clipped
    gradients of noisy labels are on average `1 + learning_rate * epsilon` times
    those of clean labels. It needs no noise rate. `connect` the outputs of the
    model; every output needs its own loss. Nothing is clipped until the history
    is full. Outside training, the last threshold is used and nothing is stored.
    With a small `epsilon`, or when the learning rate gets small, almost all
    gradients are clipped, as in `MAE`.

    Formula:

    ```
    loss = l(p_y)                                    # p_y >= p*
    loss = l(p*) + tau * (p* - p_y)                  # below
    l = -log(p), -(1 - p) ** gamma * log(p) or (1 - p ** q) / q
    tau = -l'(p*), where
        E_noisy[min(-l', tau)] / E_clean[min(-l', tau)] =
            1 + learning_rate * epsilon
    ```

    where `p_y` is the probability of the label, and the means `E` are over two
    Gaussians of the cross-entropy, cut off at probabilities of 1e-7 and
    1 - 1e-7. Their numbers come from 20 steps of expectation maximization, and
    `p*` from bisection.

    Args:
        base: The loss that is clipped, `"cross_entropy"`, `"focal"` or
            `"gce"`. Defaults to `"cross_entropy"`.
        epsilon: How much larger clipped noisy gradients may be, a positive
            number. Defaults to `20.0`, as in the authors' scripts.
        learning_rate: Factor of `epsilon`. Pass the learning rate of your
            optimizer, as a loss cannot see it: a positive number, or a
            schedule of `keras.optimizers.schedules` over training batches.
            Defaults to `0.1`.
        gamma: Power of `"focal"`, a number of at least 0. Defaults to `0.5`.
        q: Power of `"gce"`, a number in (0, 1]. Defaults to `0.7`.
        history_size: Number of losses that are kept, an integer of at least
            2. Defaults to `4096`.
        update_every: Number of training batches from one threshold to the
            next, an integer of at least 1. Defaults to `32`.
        history_key: Text that ties the loss to its layer in a saved model.
            Defaults to `None`, a new key.

    Raises:
        ValueError: If an argument is outside its range, or if predictions did
            not pass through `connect`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import OGC
    >>> x, labels = np.zeros((64, 4)), np.arange(64) % 3
    >>> loss = OGC(history_size=64, update_every=2)
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, loss.connect(outputs))
    >>> model.compile("sgd", loss)
    >>> history = model.fit(x, labels, verbose=0)
    >>> loss.threshold() > 1e6  # All losses are alike: nothing is clipped.
    True

    References:
        - Ye et al., Optimized gradient clipping for noisy label learning,
          AAAI 2025, arXiv 2412.08941
        - Menon et al., Can gradient clipping mitigate label noise, ICLR 2020
    """

    base: str = typed(Choice("cross_entropy", BASES))
    epsilon: float = number(20.0, 0)
    learning_rate: Any = typed(Rate(0.1))
    gamma: float = number(0.5, 0, closed="low")
    q: float = number(0.7, 0, 1, closed="high")
    history_size: int = whole_number(4096, low=2)
    update_every: int = whole_number(32)
    history_key: str | None = typed(Argument(None, kw_only=True))

    has_state: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._history = history_of_loss(
            self.history_size,
            [_clipped.MOST],
            self.update_every,
            self.history_key,
        )
        self.history_key = self.history.key

    @property
    def history(self) -> LossHistory:
        """The layer that owns the state, see `connect`."""
        return self._history.layer

    def threshold(self) -> float:
        """The current largest gradient by the probability, `tau`.

        Returns:
            A float.

        Raises:
            ValueError: Before `connect`, as the losses are in the model.
        """
        level = ops.convert_to_numpy(self.history.numbers())[0]
        slope = self._base(self.arguments).slope(ops.convert_to_tensor(-level))
        return float(ops.convert_to_numpy(slope))

    def _states(self) -> list[Reference]:
        return [self._history, *super()._states()]

    @staticmethod
    def _base(numbers: dict[str, Any]) -> _clipped.Base:
        return _clipped.Base(numbers["base"], numbers["gamma"], numbers["q"])

    def of_true_class(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The clipped loss, elementwise."""
        return self._base(numbers).clipped(log_p, numbers["level"])

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample; in training this also follows the losses."""
        layer, training, first, _ = self._history.use(
            type(self).__name__, labels.given
        )
        if training and first:
            fixed = ops.stop_gradient(logits)
            if _single.is_single(fixed):
                fixed = _single.as_pair(fixed)
            ce = -log_probability(labels.label(), fixed)
            ce = ops.clip(ce, _clipped.LEAST, _clipped.MOST)

            def fit(losses: Tensor) -> Tensor:
                rate = at(self.learning_rate, layer.step())
                target, base = 1 + rate * self.epsilon, self._base(numbers)
                level = _clipped.threshold(losses, target, base)
                return ops.reshape(level, (1,))

            layer.observe(ce, labels.kept(), fit)
        level = ops.stop_gradient(layer.numbers()[0])
        return super().values(labels, logits, {**numbers, "level": level})

    def as_fresh(self, numbers: dict[str, Any]) -> Fresh:
        """The loss without a clip, as in the first batches."""
        numbers = {**numbers, "stop_weight_gradient": False}
        return BASES[numbers["base"]]().as_fresh(numbers)
