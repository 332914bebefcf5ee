"""Log-probabilities and margins of labels, from logits."""

from __future__ import annotations

import math
import sys
from typing import Any

import keras
from keras import ops

from keras_noisy.losses.base import _math
from keras_noisy.losses.base._closed_form import closed_form

Tensor = Any
#: Logit of a class that is left out. It is finite, so that a row whose other
#: classes are all ruled out has a margin too.
ABSENT = -3e38
#: With fewer classes, a fused kernel is faster.
FUSED = {"tensorflow": _math.FEW, "torch": 1500}
#: Differences of logits are clipped here, so that they are never infinite.
LARGEST = 1e30


def log_probability(index: Tensor, logits: Tensor) -> Tensor:
    """Log-softmax of (N, K) logits at the (N,) index of each row.

    No one-hot matrix is made. TensorFlow and PyTorch have a fused kernel;
    on JAX the same Keras function would multiply with a one-hot matrix.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        # Subtract the largest logit first: their difference stays exact.
        largest = ops.max(logits, axis=-1, keepdims=True)
        logits = logits - ops.stop_gradient(largest)
        picked = ops.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
        return picked - ops.log(ops.sum(ops.exp(logits), axis=-1))
    if (logits.shape[-1] or 0) >= FUSED.get(backend, math.inf):
        return _above(index, logits, others=False)
    if backend == "torch":
        torch: Any = sys.modules["torch"]
        return -torch.nn.functional.cross_entropy(
            logits, index.long(), reduction="none"
        )
    if backend == "tensorflow":
        # Keras looks through a preceding softmax to its logits; the reshape
        # hides it.
        logits = ops.reshape(logits, ops.shape(logits))
    return -ops.sparse_categorical_crossentropy(index, logits, from_logits=True)


def label_margin(index: Tensor, logits: Tensor) -> Tensor:
    """`z_y - logsumexp(z_k for k != y)` of (N, K) logits at (N,) indices.

    Rounding removes the margin of a confident label from its log-probability,
    so the sum is taken over the other classes only.
    """
    if keras.backend.backend() == "jax":
        return _masked(index, logits)
    return _above(index, logits, others=True)


def _above(index: Tensor, logits: Tensor, others: bool) -> Tensor:
    """The label's logit less the log-sum of all classes, or of the others.

    The fused kernels of TensorFlow and PyTorch compute the exponential of a
    matrix again in the backward pass.
    """
    of = _math.plain_ops()

    def forward(logits: Tensor, index: Tensor) -> tuple:
        shares = _without(logits, index) if others else logits
        top = _math.largest(ops.stop_gradient(shares))
        shares = _exponential(shares, top, in_place=others)
        total = of.sum(shares, axis=-1)
        label = _math.entry(logits, index) - top[:, 0]
        if others:
            label = of.clip(label, -LARGEST, LARGEST)
        return (label - of.log(total),), (shares, total)

    def backward(
        logits: Tensor, kept: Any, upstream: Any, index: Tensor
    ) -> Tensor:
        shares, total = kept
        by = upstream[0][:, None]
        return _math.put(shares * (-by / total[:, None]), index, by)

    return closed_form(forward, backward, logits, index)[0]


def _without(logits: Tensor, index: Tensor) -> Tensor:
    """A copy of the logits without the logits of the labels."""
    if keras.backend.backend() == "torch":
        return logits.scatter(1, index.long()[:, None], ABSENT)
    absent = ops.full_like(index, ABSENT, dtype=logits.dtype)
    return ops.scatter_update(logits, _math.places(index), absent)


def _exponential(x: Tensor, top: Tensor, in_place: bool) -> Tensor:
    """`exp(x - top)`, with as few new matrices as possible on PyTorch."""
    if keras.backend.backend() != "torch":
        return ops.exp(x - top)
    return (x.sub_(top) if in_place else x - top).exp_()


def _masked(index: Tensor, logits: Tensor) -> Tensor:
    """Two reductions, into which XLA fuses the mask."""
    here = ops.arange(logits.shape[-1], dtype=index.dtype) == index[:, None]
    others = ops.where(here, ABSENT, logits)
    top = ops.stop_gradient(ops.max(others, axis=-1))
    total = ops.sum(ops.exp(others - top[:, None]), axis=-1)
    label = ops.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
    return label - top - ops.log(total)


def all_margins(logits: Tensor) -> Tensor:
    """The margin of every class, of shape (N, K)."""
    margins = _math.margin(ops.log_softmax(logits, axis=-1))
    # Only the most probable class can be close to 1.
    top = _math.first_argmax(logits)
    here = ops.arange(ops.shape(logits)[-1], dtype=top.dtype) == top[:, None]
    return ops.where(here, label_margin(top, logits)[:, None], margins)
