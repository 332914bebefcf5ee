"""Masks, weights and reduction by Keras, through its public API."""

import functools
from typing import Any

import keras
from keras import ops

from keras_noisy._label_tensors import static_shape
from keras_noisy.losses.base import _math

Tensor = Any


class Reduction(keras.losses.Loss):
    """Lets Keras mask, weigh and reduce values that come as `y_true`."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.is_mean = self.reduction in ("sum_over_batch_size", "mean")

    def of(self, values: Any, y_pred: Tensor, weights: Any) -> Tensor:
        """The reduced values, by PyTorch's own mean if it gives the same.

        On small arrays, Keras' reduction takes longer than the loss.
        """
        is_mean = (
            keras.backend.backend() == "torch"
            and self.is_mean
            and weights is None
            and not isinstance(values, tuple)
            and 0 not in values.shape
            and masked(values, y_pred, self.dtype) is values
        )
        return values.mean() if is_mean else self(values, y_pred, weights)

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        if not isinstance(y_true, tuple):
            return y_true
        return _Mask(name="mask", dtype=self.dtype)(y_true)


class _Mask(keras.layers.Layer):
    """Attaches a mask to values; in Keras' public API only a layer can."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        values, _ = inputs
        return values

    def compute_mask(
        self, inputs: tuple[Tensor, Tensor], previous_mask: Any = None
    ) -> Tensor:
        _, keep = inputs
        return ops.cast(keep, "bool")


def unmasked(y_pred: Tensor, one_view: Tensor) -> Tensor | None:
    """Which samples the mask of `y_pred` keeps, as rows; None for all.

    `one_view` is the predictions without the axes that labels do not have.
    """
    ones = ops.ones_like(one_view[..., 0], dtype="float32")
    left = masked(ones, y_pred, "float32")
    return None if left is ones else ops.reshape(left, (-1,)) != 0


def reduced(loss: Any, values: Any, y_pred: Tensor, weights: Any) -> Tensor:
    """The values, weighted, masked and reduced as a loss says."""
    dtype = _math.compute_dtype(loss.dtype)
    found = _reduction(loss.reduction, dtype).of(values, y_pred, weights)
    return _math.cast(found, loss.dtype)


@functools.cache
def _reduction(reduction: Any, dtype: str) -> Reduction:
    """The reduction of a loss.

    It has a name of its own, as TensorFlow rejects names such as "NCE+RCE" as
    a scope.
    """
    return Reduction(name="reduction", reduction=reduction, dtype=dtype)


def masked(values: Tensor, y_pred: Tensor, dtype: str) -> Tensor:
    """The values, 0 where the mask of `y_pred` leaves samples out.

    Without a mask, Keras hands back what it was given.
    """
    return _reduction(None, dtype)(values, y_pred)


def per_value(weights: Tensor, values: Tensor) -> Tensor:
    """A weight for each value, as Keras divides by the sum of the weights.

    Weights for the leading axes apply to all values along the other axes.
    """
    rank = len(static_shape(weights))
    if rank == len(values.shape) + 1 and weights.shape[-1] in (1, None):
        # Keras takes (N, 1) for (N,).
        weights, rank = ops.reshape(weights, ops.shape(weights)[:-1]), rank - 1
    missing = len(values.shape) - rank
    leading = tuple(values.shape)[:rank]
    if missing > 0 and rank > 0:
        fits = all(
            w in (1, None, v) or v is None
            for w, v in zip(weights.shape, leading, strict=True)
        )
        if fits:
            shape = (*ops.shape(weights), *(1,) * missing)
            weights = ops.reshape(weights, shape)
    check_weights(weights, tuple(values.shape))
    # On PyTorch, Keras multiplies what it gets by the mask in place.
    return ops.copy(ops.broadcast_to(weights, ops.shape(values)))


def check_weights(weights: Tensor, expected: tuple) -> None:
    """Raise on weights that do not broadcast to values of a shape."""
    shape = static_shape(weights)
    fits = len(shape) <= len(expected) and all(
        None in (w, v) or w in (1, v)
        for w, v in zip(reversed(shape), reversed(expected), strict=False)
    )
    if not fits:
        raise ValueError(
            f"Expected `sample_weight` of shape {expected}, a weight for each "
            "value of the loss, or of a shape that broadcasts to it. Received: "
            f"sample_weight.shape={shape}"
        )
