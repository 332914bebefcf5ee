"""Functions of logits with a hand-written derivative, on each backend."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any
#: Maps logits and further inputs to outputs (N,) and to values to keep.
Forward = Callable[..., tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]
#: Maps the logits, the kept values, the derivative by each output (None if it
#: is 0) and the further inputs to the derivative by the logits.
Backward = Callable[..., Tensor]

#: With fewer classes, plain PyTorch is faster than a custom function.
SHORT = 256


def is_short(num_classes: int | None) -> bool:
    """Whether a custom function would cost more time than it saves."""
    return keras.backend.backend() == "torch" and (num_classes or 0) < SHORT


def closed_form(
    forward: Forward, backward: Backward, logits: Tensor, *inputs: Tensor
) -> tuple[Tensor, ...]:
    """The outputs of `forward`, with the derivative that `backward` gives.

    Both must use differentiable operations, so that derivatives of any order
    are right. The further inputs get no derivative. Pass all tensors as
    inputs: transformations such as `vmap` do not see those of a closure.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return _jax(forward, backward, logits, *inputs)
    if backend == "tensorflow":
        return _tensorflow(forward, backward, logits, *inputs)
    if backend == "torch":
        kept = _torch_function().apply(forward, backward, logits, *inputs)
        return kept[: kept[-1]]
    return forward(logits, *inputs)[0]


def _jax(
    forward: Forward, backward: Backward, logits: Tensor, *inputs: Tensor
) -> tuple[Tensor, ...]:
    # JAX derives reverse mode from this rule for forward mode.
    @sys.modules["jax"].custom_jvp
    def function(logits: Tensor, *inputs: Tensor) -> tuple:
        return forward(logits, *inputs)[0]

    @function.defjvp
    def _(primals: tuple, tangents: tuple) -> tuple:
        outputs, kept = forward(*primals)
        along = _along(backward, outputs, kept, primals, tangents[0])
        return outputs, along

    return function(logits, *inputs)


def _along(
    backward: Backward,
    outputs: tuple[Tensor, ...],
    kept: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
    direction: Tensor,
) -> tuple[Tensor, ...]:
    """The derivative of each output in a direction of the logits."""
    found = []
    for number, output in enumerate(outputs):
        upstream: list[Tensor | None] = [None] * len(outputs)
        upstream[number] = ops.ones_like(output)
        slope = backward(inputs[0], kept, upstream, *inputs[1:])
        found.append(ops.sum(slope * direction, axis=-1))
    return tuple(found)


def _tensorflow(
    forward: Forward, backward: Backward, logits: Tensor, *inputs: Tensor
) -> tuple[Tensor, ...]:
    @ops.custom_gradient
    def function(logits: Tensor) -> tuple:
        outputs, kept = forward(logits, *inputs)

        def gradient(*upstream: Tensor) -> Tensor:
            return backward(logits, kept, upstream, *inputs)

        return outputs, gradient

    return function(logits)


@functools.cache
def _torch_function() -> Any:
    """Keras' custom gradient has one output and no rules for transforms."""
    torch: Any = sys.modules["torch"]
    function: Any = torch.autograd.Function

    class ClosedForm(function):
        generate_vmap_rule = True

        @staticmethod
        def forward(
            forward: Forward,
            backward: Backward,
            logits: Tensor,
            *inputs: Tensor,
        ) -> tuple:
            outputs, kept = forward(logits, *inputs)
            return (*outputs, *kept, len(outputs))

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
            ctx.functions, inputs = inputs[:2], inputs[2:]
            ctx.count, ctx.number_of_inputs = output[-1], len(inputs)
            kept = output[ctx.count : -1]
            ctx.mark_non_differentiable(*kept)
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*inputs, *kept)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, *upstream: Tensor) -> tuple:
            forward, backward = ctx.functions
            saved, count = ctx.saved_tensors, ctx.number_of_inputs
            (logits, *inputs), kept = saved[:count], saved[count:]
            if torch.is_grad_enabled():
                # Second derivatives: the kept values carry no gradient.
                kept = forward(logits, *inputs)[1]
            upstream = upstream[: ctx.count]
            slope = backward(logits, kept, upstream, *inputs)
            return (None, None, slope, *(None for _ in inputs))

        @staticmethod
        def jvp(ctx: Any, *directions: Tensor) -> tuple:
            forward, backward = ctx.functions
            inputs = ctx.saved_tensors[: ctx.number_of_inputs]
            outputs, kept = forward(*inputs)
            along = _along(backward, outputs, kept, inputs, directions[2])
            return (*along, *(None for _ in kept), None)

    # PyTorch reads the signature at each call.
    made: Any = ClosedForm.forward
    made.__signature__ = inspect.signature(made)
    return ClosedForm
