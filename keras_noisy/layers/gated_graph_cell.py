"""Gated graph cell: states of clicks that are updated by their neighbors."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy.layers._session_layer import SessionLayer

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class GatedGraphCell(SessionLayer):
    """Gated graph cell of SR-GNN: a GRU whose input comes along the edges.

    Each state receives messages from its predecessors and its successors, and
    a GRU cell updates it with them.

    Formula:

    ```
    a = [incoming (h W_in + b_in) + c_in ; outgoing (h W_out + b_out) + c_out]
    r, z = sigmoid(a W + b + h U + c)
    n = tanh(a W_n + b_n + r (h U_n + c_n))
    h <- z h + (1 - z) n
    ```

    which is `keras.layers.GRUCell` with `reset_after=True` on `a`.

    Args:
        steps: How often states are passed along the edges, an integer of at
            least 1. Defaults to `1`, as published.
        initializer: An initializer of every weight. Defaults to `None`:
            uniform between -1 and 1 over the square root of the width, as
            published.
        regularizer: A regularizer of every weight. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: States `h` of shape `(N, nodes, width)`.
        incoming: Adjacency matrix of shape `(N, nodes, nodes)`; row v has the
            weights of the messages that v receives from its predecessors.
            `SessionGraph` returns both matrices.
        outgoing: The same for the successors.

    Returns:
        When called, the new states, of the same shape.

    Raises:
        ValueError: If `steps` is not an integer of at least 1.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import GatedGraphCell, SessionGraph
    >>> clicks = np.array([[3, 1, 3, 2]])
    >>> states = np.ones((1, 4, 8), "float32")
    >>> tuple(GatedGraphCell()(states, *SessionGraph()(clicks)).shape)
    (1, 4, 8)

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
        - Li et al., Gated graph sequence neural networks, ICLR 2016,
          arXiv 1511.05493
    """

    def __init__(
        self,
        steps: int = 1,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(initializer, regularizer, **kwargs)
        self.steps = integer("steps", steps, 1)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weights, for states of this shape."""
        width = input_shape[-1]
        self.kernel = self.weight("kernel", (width, 2 * width), width)
        self.bias = self.weight("bias", (2 * width,), width)
        self._build_messages(width)
        self.gru = self._gru(width)
        self.gru.build((None, 2 * width))

    def _build_messages(self, width: int) -> None:
        self.message_bias = self.weight("message_bias", (2 * width,), width)

    def _gru(self, width: int, **arguments: Any) -> keras.layers.GRUCell:
        return keras.layers.GRUCell(
            width,
            **{
                "kernel_initializer": self.fresh_initializer(width),
                "recurrent_initializer": self.fresh_initializer(width),
                "bias_initializer": self.fresh_initializer(width),
                "kernel_regularizer": self.regularizer,
                "recurrent_regularizer": self.regularizer,
                "bias_regularizer": self.regularizer,
                "reset_after": True,
                "dtype": self.dtype_policy,
                "name": "gru",
                **arguments,
            },
        )

    def call(
        self, states: Tensor, incoming: Tensor, outgoing: Tensor
    ) -> Tensor:
        """Return the new states."""
        for _ in range(self.steps):
            messages = self._passed(self._sent(states), incoming, outgoing)
            messages = messages + ops.cast(self.message_bias, messages.dtype)
            states = self._taken_in(messages, states)
        return states

    def _sent(self, states: Tensor) -> Tensor:
        sent = ops.matmul(states, ops.cast(self.kernel, states.dtype))
        return sent + ops.cast(self.bias, states.dtype)

    def _passed(
        self, sent: Tensor, incoming: Tensor, outgoing: Tensor
    ) -> Tensor:
        to_next, to_previous = ops.split(sent, 2, axis=-1)
        return ops.concatenate(
            [ops.matmul(incoming, to_next), ops.matmul(outgoing, to_previous)],
            axis=-1,
        )

    def _taken_in(self, messages: Tensor, states: Tensor) -> Tensor:
        width = states.shape[-1]
        rows = ops.reshape(states, (-1, width))
        new, _ = self.gru(ops.reshape(messages, (-1, 2 * width)), [rows])
        return ops.reshape(new, ops.shape(states))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the states."""
        return previous_mask

    def compute_output_shape(
        self, states_shape: tuple[Any, ...], *others: Any, **named: Any
    ) -> tuple[Any, ...]:
        """Shape of the states."""
        return states_shape

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "steps": self.steps}
