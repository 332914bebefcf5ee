"""Margins of classes over all others, from logits, exact at both ends."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy.losses.base import _math

Tensor = Any
#: Stands for the logit of a class that is left out; it is finite, so that a
#: row whose other classes are all ruled out has a margin too.
ABSENT = -3e38
#: The largest difference of two logits that is told from infinity.
LARGEST = 1e30


def label_margin(index: Tensor, logits: Tensor) -> Tensor:
    """`z_y - logsumexp(z_k for k != y)` of (N, K) logits at (N,) indices.

    The log-probability has lost the margin of a confident label to rounding,
    so that the sum is taken over the other classes alone.
    """
    if keras.backend.backend() == "jax":
        return _masked(index, logits)
    return _shifted(index, logits)


def _masked(index: Tensor, logits: Tensor) -> Tensor:
    """Two reductions, into which XLA fuses the mask."""
    here = ops.arange(logits.shape[-1], dtype=index.dtype) == index[:, None]
    others = ops.where(here, ABSENT, logits)
    top = ops.stop_gradient(ops.max(others, axis=-1))
    total = ops.sum(ops.exp(others - top[:, None]), axis=-1)
    label = ops.take_along_axis(logits, index[:, None], axis=-1)[:, 0]
    return label - top - ops.log(total)


def _shifted(index: Tensor, logits: Tensor) -> Tensor:
    """By the fused kernel for the log-probability, without a mask.

    The logit of the label is lowered to the largest other one, where the
    log-probability has all digits, and the margin is raised again.
    """
    of, fixed = _math.plain_ops(), ops.stop_gradient(logits)
    if keras.backend.backend() == "torch":
        others = fixed.scatter(1, index.long()[:, None], ABSENT)
    else:
        classes = ops.arange(ops.shape(logits)[-1], dtype=index.dtype)
        others = ops.where(classes == index[:, None], ABSENT, fixed)
    shift = _math.entry(fixed, index) - of.amax(others, axis=-1)
    shift = of.clip(shift, -LARGEST, LARGEST)
    level = _math.added(logits, index, -shift[:, None])
    return _math.margin(_math.log_probability(index, level)) + shift


def all_margins(logits: Tensor) -> Tensor:
    """The margin of every class, of shape (N, K)."""
    margins = _math.margin(ops.log_softmax(logits, axis=-1))
    # Only the most probable class can be close to 1.
    top = _math.first_argmax(logits)
    here = ops.arange(ops.shape(logits)[-1], dtype=top.dtype) == top[:, None]
    return ops.where(here, label_margin(top, logits)[:, None], margins)
