"""The base of the losses of several labels per sample."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, dataclass_transform

import numpy as np
from keras import ops

from keras_noisy._label_tensors import (
    agree,
    as_tensor,
    is_float,
    static_shape,
    widened,
)
from keras_noisy.distribution.processes import check_together
from keras_noisy.losses.base import (
    _batch,
    _first_batch,
    _math,
    _reduction,
    _signature,
)
from keras_noisy.losses.base import shared as _shared
from keras_noisy.losses.base._autograph import unconverted
from keras_noisy.losses.base._declared import DeclaredLoss
from keras_noisy.losses.base._formulas import check_shape
from keras_noisy.losses.base._labels import BinaryTargets
from keras_noisy.losses.base._per_label import PosWeight

Tensor = Any
shared: Any = _shared


class _Reader(NamedTuple):
    """The attributes of a loss that reading a batch needs."""

    from_logits: bool
    ignore_class: int | None
    dtype: str
    num_classes: int | None = 2
    view_axes: tuple[int, ...] = ()

    def split_labels(
        self, y_true: Tensor, y_pred: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        return y_true, None


# Tells type checkers that declarations of subclasses are arguments.
@dataclass_transform()
class SeveralLabels(DeclaredLoss):
    """Reads labels and outputs (..., labels), and takes the mean over labels.

    Base of `MultiLabelLoss` and `Binary`.
    """

    pos_weight: Any = PosWeight(None, kw_only=True)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._seen_concrete_batch = False

    def reads(self) -> tuple[bool, int | None]:
        """Whether outputs are logits, and the label that means unknown."""
        raise TypeError(f"{type(self).__name__} must define `reads()`")

    def rows_of(self, batch: _batch.Batch, labels: int | None) -> Tensor:
        """Values of a batch in which every label counts as a sample."""
        raise TypeError(
            f"{type(self).__name__} must define `rows_of(batch, labels)`"
        )

    def connect(self, outputs: Tensor) -> Tensor:
        """Pass the outputs of a model through the layers of this loss.

        Most losses have no layers and return the outputs unchanged.

        Args:
            outputs: Output of a functional model that the loss is compiled on.

        Returns:
            A tensor of the same values.
        """
        return outputs

    @unconverted
    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> Tensor:
        """Return the reduced loss."""
        check_together(y_pred)
        y_true, y_pred = as_tensor(y_true), _batch.floating(y_pred)
        if not self._seen_concrete_batch:
            _check_shapes(y_true, y_pred)
            _signature.check_config(self)
            if not _first_batch.is_filler(y_true, y_pred):
                self._seen_concrete_batch = self._check_values(y_true, y_pred)
        weights = None
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            if _is_per_label(sample_weight, y_pred):
                _reduction.check_weights(sample_weight, static_shape(y_pred))
                weights, sample_weight = sample_weight, None
        values, known = self._mean(y_true, y_pred, weights)
        if sample_weight is not None:
            sample_weight = _reduction.per_value(sample_weight, values)
        found = values if known is None else (values, known)
        return _reduction.reduced(self, found, y_pred, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return one value per sample, the mean over its known labels."""
        y_true, y_pred = as_tensor(y_true), _batch.floating(y_pred)
        values, _ = self._mean(y_true, y_pred, None)
        return _math.cast(values, self.dtype)

    def check(self, y_true: Tensor, y_pred: Tensor) -> None:
        """Raise on a batch that must be a mistake, see `keras_noisy.check`."""
        y_true, y_pred = as_tensor(y_true), _batch.floating(y_pred)
        _check_shapes(y_true, y_pred)
        self._check_values(y_true, y_pred, strict=True)

    def _mean(
        self, y_true: Tensor, y_pred: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """One value per sample, and which samples have a known label."""
        _check_shapes(y_true, y_pred)
        from_logits, unknown = self.reads()
        reader = _Reader(from_logits, unknown, self.dtype)
        batch = _batch.read(reader, y_true, y_pred[..., None])
        rows = self.rows_of(batch, y_pred.shape[-1])
        values = _batch.restored(rows, batch)
        kind = type(self).pos_weight
        weight = kind.of_labels(self, y_pred.shape[-1])
        if weight is not None:
            share = ops.reshape(share_of(batch.labels, values), batch.shape)
            more = ops.convert_to_tensor(weight - 1, values.dtype)
            values = values * (1 + more * share)
        known = _known(y_true, unknown)
        if known is not None:
            # An unknown label sends no gradient to its output.
            values = ops.where(known, values, 0.0)
        if weights is not None:
            values = values * _math.cast(weights, values.dtype)
        total = ops.sum(values, axis=-1)
        if known is None:
            return total / ops.cast(ops.shape(values)[-1], total.dtype), None
        counts = ops.sum(ops.cast(known, total.dtype), axis=-1)
        return total / _math.at_least(counts, 1.0), counts > 0

    def _check_values(
        self, y_true: Tensor, y_pred: Tensor, strict: bool = False
    ) -> bool:
        """Raise on values that must be a mistake; False while traced."""
        given = _first_batch.concrete(y_true)
        outputs = _first_batch.concrete(y_pred)
        if given is None or outputs is None:
            return False
        if outputs.size == 0:
            return True
        from_logits, unknown = self.reads()
        _first_batch.check_outputs(outputs, from_logits, strict, several=True)
        _refuse_softmax(outputs, from_logits)
        _first_batch.check_labels(given, unknown, several=True)
        return True


class MultiLabelLoss(SeveralLabels):
    """Base of the losses made for several labels per sample.

    Use a subclass: `AsymmetricLoss`, `Hill` or `SPLC`. A loss of your own
    defines `formula`, an elementwise function of labels and logits, and
    declares its numbers with `number`. This class handles unknown labels,
    weights, the mean and saving. To use a loss of one label per sample, wrap
    it in `Binary`.

    Formula:

    ```
    loss = mean(w_j * formula(y_j, z_j) for all labels j that are known)
    w_j = 1 + (pos_weight_j - 1) * y_j
    ```

    where `y_j` is the label, 0 or 1, and `z_j` its logit.

    Args:
        from_logits: Whether predictions are logits. By default they are the
            probabilities of a model that ends in a sigmoid. Defaults to
            `False`.
        ignore_class: Integer that marks an unknown label, such as -1. NaN
            always marks one. Defaults to `None`.
        pos_weight: Weight of the labels 1, a positive number or one for each
            label. Defaults to `None`, a weight of 1.
        reduction: Any reduction of `keras.losses.Loss`. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `None`, a name made from the
            class.
        dtype: Dtype in which the loss is returned. Defaults to `None`,
            `keras.config.floatx()`.

    Call arguments:
        y_true: Labels 0 and 1, or soft labels between, of shape
            `(..., labels)`.
        y_pred: Probabilities or logits of the shape of `y_true`.
        sample_weight: Weights of the samples, or weights of each label, of
            the shape of `y_true`. Defaults to `None`.

    Returns:
        The reduced loss, or with `reduction=None` one value per sample.

    Raises:
        ValueError: If an argument is outside its range, if shapes do not
            match, or if the first concrete batch has invalid labels or
            predictions.

    Example:

    >>> from keras import ops
    >>> from keras_noisy.losses import MultiLabelLoss, number
    >>> class Squared(MultiLabelLoss):
    ...     power: float = number(2.0, low=1)
    ...
    ...     @staticmethod
    ...     def formula(labels, logits, power):
    ...         return ops.abs(labels - ops.sigmoid(logits)) ** power
    >>> float(Squared()([[1, 0]], [[0.5, 0.5]]))
    0.25

    References:
        - Ridnik et al., Asymmetric loss for multi-label classification, ICCV
          2021, arXiv 2009.14119
    """

    from_logits: bool = shared.FromLogits(False)
    ignore_class: int | None = shared.IgnoreClass()

    #: Whether probabilities are not enough.
    needs_logits: ClassVar[bool] = False

    @staticmethod
    @_signature.any_numbers
    def formula(labels: Tensor, logits: Tensor) -> Tensor:
        """Loss of each label, elementwise."""
        raise TypeError(
            "This loss has no `formula(labels, logits)`: a subclass of "
            "MultiLabelLoss must define it"
        )

    def reads(self) -> tuple[bool, int | None]:
        """Whether outputs are logits, and the label that means unknown."""
        return self.from_logits, self.ignore_class

    def _numbers_now(self) -> dict[str, Any]:
        """The numbers that the formula takes."""
        return self.arguments

    def rows_of(self, batch: _batch.Batch, labels: int | None) -> Tensor:
        """Values of a batch in which every label counts as a sample."""
        logits = batch.logits[:, 0]
        share = share_of(batch.labels, logits)
        inputs = share, logits
        values = self.evaluate("formula", inputs, self._numbers_now())
        check_shape(self, values, tuple(logits.shape))
        return values


def share_of(labels: Any, like: Tensor) -> Tensor:
    """Labels of the rows as numbers from 0 to 1."""
    if isinstance(labels, BinaryTargets):
        return labels.share
    return _math.cast(labels.index, like.dtype)


def _known(y_true: Tensor, unknown: int | None) -> Tensor | None:
    """Which labels are known, None if all are."""
    known = None if unknown is None else widened(y_true) != unknown
    if is_float(y_true):
        number = ops.logical_not(ops.isnan(y_true))
        known = number if known is None else ops.logical_and(known, number)
    return known


def _is_per_label(weights: Tensor, y_pred: Tensor) -> bool:
    """Whether there is a weight for each label."""
    shape = static_shape(weights)
    return len(shape) == len(y_pred.shape) and shape[-1] != 1


def _check_shapes(y_true: Tensor, y_pred: Tensor) -> None:
    shape = static_shape(y_true)
    outputs = static_shape(y_pred)
    if len(outputs) > 1 and agree(shape, outputs):
        return
    raise ValueError(
        "Expected `y_true` and `y_pred` of the same shape (N, labels), with a "
        f"column for each label. Received: y_true.shape={shape}, "
        f"y_pred.shape={outputs}. For a single label per sample, even of two "
        "classes, use a loss such as `keras_noisy.losses.GCE` as it is"
    )


def _refuse_softmax(outputs: np.ndarray, from_logits: bool) -> None:
    """Raise if rows sum to 1, as outputs of a sigmoid do only by chance."""
    rows = outputs.reshape(-1, outputs.shape[-1]).astype("float32")
    if from_logits or rows.shape[0] < 2 or rows.shape[1] < 3:
        return
    if np.all(np.abs(rows.sum(axis=-1) - 1) < 1e-3):
        raise ValueError(
            "Expected `y_pred` to hold an independent probability for each "
            "label, as from a sigmoid. Received rows that sum to 1, as from a "
            f"softmax: end the model in `Dense({rows.shape[1]}, "
            f'activation="sigmoid")`.{_first_batch.SEE}'
        )
