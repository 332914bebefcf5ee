"""The base of the losses that remember each training sample."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._label_arrays import whole_labels
from keras_noisy._label_tensors import (
    as_tensor,
    safe_index,
    static_shape,
    widened,
)
from keras_noisy.calibration.fresh import Fresh
from keras_noisy.layers.loss_state import Reference
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.losses.base import _batch, _first_batch
from keras_noisy.losses.base._arguments import Argument, typed, whole_number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import documented
from keras_noisy.losses.base._smoothed import IndexedLabels
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.cross_entropy import CrossEntropy


@documented
class MemoryLoss(DistributionLoss):
    """Base of the losses that keep a state for each training sample.

    Use a subclass: `ELR`, `SOP` or `SELC`. Fit to pairs of label and sample
    index, see `with_index`, and pass the outputs of the model through
    `loss.connect`, which adds a layer that owns the state. The loss itself
    cannot own it: a training step on JAX drops changes to variables that are
    not the model's, and a saved model would not contain them.

    Formula:

    ```
    loss = memory_formula(labels, log_p, plain_log_p)   # in training
    loss = -log(p_y)                                    # otherwise
    ```

    Outside training, in `evaluate` and in the validation of `fit`, the loss is
    cross-entropy and nothing is remembered; labels need no index there. Each
    `connect` and each copy of the loss starts with an empty memory. Within a
    training step, the loss may be called again for other labels, as in mixup;
    it remembers the first. A second call for the same labels is a metric and
    returns cross-entropy.

    Keras' accuracy and `class_weight` mistake a pair for a one-hot label: use
    `keras_noisy.metrics.LabelAccuracy` and `sample_weight`.

    Args:
        num_samples: Number of training samples, an integer of at least 1.
        memory_key: Text that ties the loss to its memory in a saved model.
            Defaults to `None`, a new key.

    Raises:
        ValueError: If an argument is outside its range, if predictions did not
            pass through the memory, or if labels have no index in training.

    Example:

    >>> from keras_noisy.losses import ELR, MemoryLoss
    >>> loss = ELR(num_samples=50_000)
    >>> isinstance(loss, MemoryLoss)
    True
    >>> loss.memory.num_samples
    50000

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    num_samples: int = whole_number()
    memory_key: str | None = typed(Argument(None, kw_only=True))

    has_state: ClassVar[bool] = True
    #: Name and initializer of each state, see `SampleMemory`.
    states: ClassVar[dict[str, Any]]

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        memory = SampleMemory.without_loss(self.memory_key)
        if memory and memory.num_samples != self.num_samples:
            raise ValueError(
                "Invalid value for argument `num_samples`. Expected "
                f"{memory.num_samples}, as the memory of the loaded model "
                f"has. Received: num_samples={self.num_samples}. For another "
                "number of samples leave `memory_key` out"
            )
        self._memory = Reference(
            memory
            or SampleMemory(self.num_samples, self.states, self.memory_key)
        )
        self.memory_key = self._memory.layer.key

    @property
    def memory(self) -> SampleMemory:
        """The layer that owns the state, see `connect`."""
        return self._memory.layer

    def _states(self) -> list[Reference]:
        return [self._memory, *super()._states()]

    def as_fresh(self, numbers: dict[str, Any]) -> Fresh:
        """Cross-entropy: there is nothing to remember yet."""
        return CrossEntropy().as_fresh(numbers)

    def memory_formula(
        self, labels: IndexedLabels, log_p: Tensor, plain_log_p: Tensor
    ) -> Tensor:
        """One value per sample in training, which also writes the memory."""
        raise TypeError(
            f"{type(self).__name__} has no `memory_formula(self, labels, "
            "log_p, plain_log_p)`: a subclass of MemoryLoss must define it"
        )

    def check(self, y_true: Tensor, y_pred: Tensor) -> None:
        """Raise on a batch that must be a mistake, see `keras_noisy.check`."""
        super().check(y_true, y_pred)
        if self.split_labels(as_tensor(y_true), y_pred)[1] is None:
            raise ValueError(_NEEDS_INDEX.format(type(self).__name__))

    def check_values(
        self, batch: _batch.Batch, y_true: Any, strict: bool = False
    ) -> bool:
        """Raise on values that must be a mistake; False while traced."""
        pairs = _first_batch.concrete(y_true)
        if pairs is not None and pairs.ndim == 2 and pairs.shape[1] == 2:
            y_true, index = pairs.T
            bad = ~((index >= 0) & (index < self.memory.num_samples))
            if np.any(bad):
                raise invalid(
                    "y_true",
                    index[bad][0].item(),
                    "the index of each sample next to its label, in [0, "
                    f"{self.memory.num_samples}), the `num_samples` of "
                    f"{type(self).__name__}, and {bad.sum()} of {len(bad)} are "
                    "not. Fit to `keras_noisy.losses.with_index(labels)` of "
                    "all training samples",
                )
        return super().check_values(batch, y_true, strict)

    def split_labels(
        self, y_true: Tensor, y_pred: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Labels and the indices next to them, or None without indices."""
        shape = static_shape(y_true)
        outputs = static_shape(y_pred)
        if len(outputs) == 1:  # A single output per sample.
            outputs = (*outputs, 1)
        if len(outputs) != 2 or len(shape) not in (1, 2):
            raise ValueError(_EXPECTED.format(shape, outputs))
        if len(shape) == 2 and shape[1] == 2:
            dtype = keras.backend.standardize_dtype(y_true.dtype)
            if dtype in ("float16", "bfloat16"):
                raise ValueError(
                    "Expected labels and sample indices as integers. Received: "
                    f"`y_true` of dtype {dtype}, which rounds indices: pass "
                    "the result of `with_index` unchanged"
                )
            if outputs[-1] != 2:
                return y_true[:, 0], y_true[:, 1]
            # Keras' metrics turn labels into floats; the loss sees integers.
            pass_ = self._memory.peek()
            if pass_ is None or pass_.first:
                _refuse_one_hot(y_true, type(self).__name__)
            index = ops.where(_are_one_hot(y_true), -1, y_true[:, 1])
            return y_true[:, 0], index
        if len(shape) == 2 and shape[1] != 1:
            raise ValueError(_EXPECTED.format(shape, outputs))
        return y_true, None

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """Values of training, or of cross-entropy outside it."""
        name = type(self).__name__
        pass_ = self._memory.use(name, labels.given)
        training, first = pass_.training, pass_.first
        plain_log_p = self.log_probabilities(logits)
        log_p, bias = plain_log_p, numbers["logit_bias"]
        if bias is not None:
            biased = logits + bias * labels.dense(logits)
            log_p = self.log_probabilities(biased)
        # A second call for the same labels, or for labels without an index, is
        # a metric. On JAX a metric cannot read the state.
        is_metric = not first and (pass_.repeated or labels.sample is None)
        if not training or is_metric:
            return -labels.pick(log_p)
        if not isinstance(labels, IndexedLabels) or labels.sample is None:
            raise ValueError(_NEEDS_INDEX.format(name))
        sample, known = safe_index(
            widened(labels.sample), self.memory.num_samples
        )
        labels.sample, labels.remembered = sample, first
        # Logits of -inf only rule a class out, so they can be remembered.
        finite = ops.all(logits < math.inf, axis=-1)
        labels.valid = ops.logical_and(
            labels.valid, ops.logical_and(known, finite)
        )
        values = self.memory_formula(labels, log_p, plain_log_p)
        return ops.where(known, values, float("nan"))

    def remember(self, name: str, labels: IndexedLabels, rows: Tensor) -> None:
        """Write the state of the samples that are not left out.

        A forward pass writes it once, however often the loss is called.
        """
        if labels.remembered:
            scratch = self.memory.num_samples
            sample = ops.where(labels.kept(), labels.sample, scratch)
            self._reading().write(name, sample, rows)

    def recall(self, name: str, labels: IndexedLabels) -> Tensor:
        """The state of the samples of a batch."""
        return self._reading().rows(name, labels.sample)

    def _reading(self) -> SampleMemory:
        """The layer of the last forward pass, possibly that of a clone."""
        return self._memory.called(type(self).__name__).layer


_NEEDS_INDEX = (
    "{} needs the index of each training sample next to its label: fit to "
    "`keras_noisy.losses.with_index(labels)`, of shape (N, 2)"
)
_EXPECTED = (
    "Expected `y_true` of shape (N, 2), a label and a sample index in each "
    "row, or outside training (N,) or (N, 1), and `y_pred` of shape (N, "
    "num_classes). Received: y_true.shape={}, y_pred.shape={}"
)


def _are_one_hot(y_true: Tensor) -> Tensor:
    """Whether there are three or more pairs and all are (0, 1) or (1, 0).

    Indices differ, so at most two pairs of label and index look like this.
    """
    all_sum_to_1 = ops.all(ops.sum(y_true, axis=1) == 1)
    return ops.logical_and(all_sum_to_1, ops.shape(y_true)[0] > 2)


def _refuse_one_hot(y_true: Tensor, name: str) -> None:
    """Raise on one-hot labels of two classes, shaped like label and index.

    A compiled step sees no values, but floats are what
    `keras.utils.to_categorical` returns, and booleans are not indices.
    """
    dtype = keras.backend.standardize_dtype(y_true.dtype)
    pairs = _first_batch.concrete(y_true)
    is_no_index = keras.backend.is_float_dtype(dtype) or dtype == "bool"
    if is_no_index or (
        pairs is not None and len(pairs) > 2 and np.all(pairs.sum(axis=1) == 1)
    ):
        raise ValueError(
            "Expected integer labels, with or without the index of each "
            "sample. Received: `y_true` of shape (N, 2) and dtype "
            f"{dtype} for two classes. {name} takes no one-hot labels: pass "
            "`with_index(np.argmax(labels, axis=-1))`"
        )


def with_index(labels: Any) -> np.ndarray:
    """Labels with the index of each sample next to them, for a `MemoryLoss`.

    Formula:

    ```
    [[labels[0], 0], [labels[1], 1], ...]
    ```

    Args:
        labels: Integer labels of all training samples, shape `(N,)` or
            `(N, 1)`.

    Returns:
        An int64 array of shape `(N, 2)`.

    Raises:
        ValueError: If labels are not whole numbers of such a shape.

    Example:

    >>> from keras_noisy.losses import with_index
    >>> with_index([7, 5])
    array([[7, 0],
           [5, 1]])

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """
    array = whole_labels("labels", labels).astype("int64")
    return np.stack([array, np.arange(len(array))], axis=1)
