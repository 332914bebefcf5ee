"""Sums over all classes in few passes, with their gradient in closed form."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_noisy.losses.base._closed_form import closed_form, is_short
from keras_noisy.losses.base._labels import (
    DenseLabels,
    Labels,
    SparseLabels,
)
from keras_noisy.losses.base._math import (
    HIGHEST,
    LOWEST,
    added,
    at_least,
    between,
    entry,
    first_argmax,
    in_place,
    plain_ops,
    put,
    where_above,
)

Tensor = Any
#: JAX computes the entries of matrices with more of them anew, see `_fused`.
CACHED = 2**20


class Term(NamedTuple):
    """A sum over the classes of a function of their log-probabilities."""

    #: Elementwise function of log-probabilities (N, K).
    value: Callable[..., Tensor]
    #: Its derivative, from the log-probabilities and the value, whose memory it
    #: may reuse; None if it is not known. It may be a number or of shape (K,).
    slope: Callable[..., Tensor] | None
    #: Further tensors that are passed to both functions.
    inputs: tuple[Tensor, ...] = ()
    #: Log-probabilities below it are raised to it, and have no derivative.
    floor: float = LOWEST


#: Replaces a sum: the largest log-probability, and 1 if it belongs to the
#: label, 0 if not.
WINNER: Any = "winner"


def has_closed_form(terms: list[Term], num_classes: int | None) -> bool:
    """Whether every term has a fast derivative in closed form."""
    if is_short(num_classes):
        return False
    return all(term is WINNER or term.slope is not None for term in terms)


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax of biased logits (N, K), finite for ruled-out classes."""
    return at_least(plain_ops().log_softmax(logits, -1), LOWEST)


def plain_sum(term: Term, labels: Labels, log_p: Tensor) -> Any:
    """A term as the formula takes it, of shape (N, 1) for soft targets."""
    if term is not WINNER:
        if term.floor != LOWEST:
            log_p = at_least(log_p, term.floor)
        total = plain_ops().sum(term.value(log_p, *term.inputs), axis=-1)
        return total[:, None] if isinstance(labels, DenseLabels) else total
    winner = first_argmax(ops.stop_gradient(log_p))
    largest = entry(log_p, winner)
    if isinstance(labels, DenseLabels):
        top = added(ops.zeros_like(log_p), winner, 1.0)
        return largest[:, None], top
    return largest, labels.weight_of(winner, log_p.dtype)


def squared_norm(logits: Tensor, unit: float | Tensor) -> Tensor:
    """`sum((logits * unit) ** 2)` of each row, of shape (..., 1).

    Its derivative needs only the logits. Automatic differentiation would also
    keep the scaled and the squared ones.
    """

    def forward(logits: Tensor) -> tuple:
        of = plain_ops()
        return (of.sum(in_place("square", logits * unit), axis=-1),), ()

    def backward(logits: Tensor, kept: Any, upstream: Any) -> Tensor:
        return logits * (2 * upstream[0] * unit * unit)[..., None]

    if is_short(logits.shape[-1]):
        return forward(logits)[0][0][..., None]
    return closed_form(forward, backward, logits)[0][..., None]


def class_sums(
    logits: Tensor, labels: SparseLabels, terms: list[Term]
) -> tuple[Tensor, list[Any]]:
    """Log-probability of the label of each row, and the sum of each term.

    If `g_k` is the derivative by the log-probability of class k, the
    derivative by its logit is `g_k - p_k * sum(g)`. Each takes one pass
    through memory; automatic differentiation keeps matrices in between.

    Args:
        logits: Biased logits of shape (N, K).
        labels: Integer labels of shape (N,).
        terms: The terms to sum.
    """
    sums = [term for term in terms if term is not WINNER]
    places = [labels.index]
    if len(sums) < len(terms):
        places.append(first_argmax(ops.stop_gradient(logits)))
    count = len(places)

    def split(inputs: tuple[Tensor, ...]) -> tuple:
        more = iter(inputs[count:])
        of_terms = [
            (term, tuple(itertools.islice(more, len(term.inputs))))
            for term in sums
        ]
        return inputs[:count], of_terms

    is_fused = keras.backend.backend() == "jax"

    def forward(x: Tensor, *inputs: Tensor) -> tuple:
        return (_fused if is_fused else _whole)(x, *split(inputs))

    def backward(
        x: Tensor, kept: Any, upstream: Any, *inputs: Tensor
    ) -> Tensor:
        by = _slope_by_logits if is_fused else _slope_by_log_p
        return by(x, kept, upstream, *split(inputs))

    extra = [x for term in sums for x in term.inputs]
    # Other backends have a gradient kernel for the log-softmax: use it.
    x = logits if is_fused else plain_ops().log_softmax(logits, -1)
    outputs = closed_form(forward, backward, x, *places, *extra)
    at_label, *at_winner = (at_least(x, LOWEST) for x in outputs[:count])
    found: list[Any] = list(outputs[count:])
    if at_winner:
        top = labels.weight_of(places[1], at_label.dtype)
        found.insert(terms.index(WINNER), (*at_winner, top))
    return at_label, found


def _whole(log_p: Tensor, places: Any, terms: list) -> tuple:
    """The outputs, and the slope of each term."""
    of = plain_ops()
    found, slopes = [entry(log_p, place) for place in places], []
    for term, extra, finite in _with_finite(terms, log_p):
        value = term.value(finite, *extra)
        found.append(of.sum(value, axis=-1))
        slope = term.slope(finite, value, *extra)
        # PyTorch keeps tensors, but no inputs.
        if isinstance(slope, int | float):
            slope = ops.full_like(finite[:, :1], slope)
        elif any(slope is x for x in extra):
            slope = slope + 0.0
        slopes.append(slope)
    return tuple(found), tuple(slopes)


def _fused(logits: Tensor, places: Any, terms: list) -> tuple:
    """The outputs, and what their slope needs.

    XLA keeps small matrices in the cache and uses them again. It computes the
    entries of a large one where they are needed, and keeps none of them if a
    single loop takes all sums.
    """
    size = math.prod(logits.shape)
    # A size that is not known while tracing cannot be compared.
    is_large = not isinstance(size, int) or size > CACHED
    shift = ops.max(logits, axis=-1, keepdims=True)
    powers = ops.exp(logits - shift)
    total = ops.sum(powers, axis=-1, keepdims=True)
    log_sum = ops.log(total)
    log_p = logits - shift - log_sum
    found = [
        ops.take_along_axis(logits, place[:, None], axis=-1) - shift - log_sum
        for place in places
    ]
    parts, slopes = [], []
    for term, extra, finite in _with_finite(terms, log_p):
        parts.append(term.value(finite, *extra))
        slopes.append(term.slope(finite, parts[-1], *extra))
    for (term, _), slope in zip(terms, slopes, strict=True):
        parts.append(where_above(log_p, term.floor, slope))
    if is_large:
        sums = _sums_at_once()(*parts) if parts else ()
        p = (ops.exp(log_p), 1.0)
    else:
        sums = tuple(ops.sum(part, axis=-1) for part in parts)
        p = (powers, 1 / total)
    outputs = (*(x[:, 0] for x in found), *sums[: len(terms)])
    return outputs, (log_p, p, slopes, sums[len(terms) :])


@functools.cache
def _sums_at_once() -> Callable[..., tuple[Tensor, ...]]:
    """The sums of the rows of several matrices, in one loop."""
    jax = sys.modules["jax"]

    def add(left: tuple, right: tuple) -> tuple[Tensor, ...]:
        return tuple(a + b for a, b in zip(left, right, strict=True))

    @jax.custom_jvp
    def sums(*parts: Tensor) -> tuple[Tensor, ...]:
        zeros = tuple(ops.zeros((), part.dtype) for part in parts)
        return jax.lax.reduce(parts, zeros, add, (1,))

    @sums.defjvp
    def _(parts: tuple, tangents: tuple) -> tuple:
        # JAX cannot differentiate `reduce` when a tangent is 0.
        return sums(*parts), tuple(ops.sum(x, axis=-1) for x in tangents)

    return sums


def _with_finite(terms: list, log_p: Tensor) -> list[tuple]:
    """The terms, each with its log-probabilities, none of which is 0."""
    floors = {term.floor for term, _ in terms}
    finite = {floor: between(log_p, floor, HIGHEST) for floor in floors}
    return [(term, extra, finite[term.floor]) for term, extra in terms]


def _slope_by_log_p(
    log_p: Tensor, kept: Any, upstream: Any, places: Any, terms: list
) -> Tensor:
    """The derivative by the log-probabilities."""
    slope = _sum_of_slopes(log_p, kept, upstream[len(places) :], terms)
    if slope is None:
        # Zeros computed from `by`, so that `vmap` maps them like the labels.
        zero = 0.0 * next(x for x in upstream if x is not None)
        slope = where_above(log_p, LOWEST, zero[:, None])
    return _with_places(slope, places, upstream)


def _slope_by_logits(
    logits: Tensor, kept: Any, upstream: Any, places: Any, terms: list
) -> Tensor:
    """The derivative by the logits."""
    (log_p, (powers, unit), slopes, totals), count = kept, len(places)
    slope = _sum_of_slopes(log_p, slopes, upstream[count:], terms)
    known = (*[1.0] * count, *totals)
    total = sum(
        by * each
        for by, each in zip(upstream, known, strict=True)
        if by is not None
    )
    slope = (0.0 if slope is None else slope) - powers * (unit * total[:, None])
    return _with_places(slope, places, upstream)


def _sum_of_slopes(
    log_p: Tensor, slopes: Any, upstream: Any, terms: list
) -> Tensor:
    """`sum_j F_j f_j'`, or None if no sum is needed."""
    found: Tensor = None
    for (term, _), slope, by in zip(terms, slopes, upstream, strict=True):
        if by is not None:
            part = where_above(log_p, term.floor, slope * by[:, None])
            found = part if found is None else in_place("add", found, part)
    return found


def _with_places(slope: Tensor, places: Any, upstream: Any) -> Tensor:
    """The derivative with the derivatives of single entries added."""
    for place, by in zip(places, upstream, strict=False):
        if by is not None:
            slope = put(slope, place, by[:, None])
    return slope
