"""The gated graph cell with a vector of the user."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy.layers.gated_graph_cell import GatedGraphCell

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class PersonalizedGraphCell(GatedGraphCell):
    """Gated graph cell of A-PGNN, where every message depends on the user.

    Like `GatedGraphCell`, with a vector of the user in the messages, and with
    the classical GRU, whose reset gate acts before the product.

    Formula:

    ```
    a = [incoming (h W_in + b_in + u U_in) ;
         outgoing (h W_out + b_out + u U_out)]
    r, z = sigmoid(a W + h U + b)
    n = tanh(a W_n + (r h) U_n + b_n)
    h <- z h + (1 - z) n
    ```

    where `u` is the vector of the user. Without users, this term is left out.

    Args:
        steps: How often states are passed along the edges, an integer of at
            least 1. Defaults to `1`.
        initializer: An initializer of every weight, except that the biases of
            both gates start at 1 and the bias of `n` at 0, as published.
            Defaults to `None`: uniform between -1 and 1 over the square root of
            the width.
        regularizer: A regularizer of every weight. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: States `h` of shape `(N, nodes, width)`.
        incoming: Adjacency matrix of shape `(N, nodes, nodes)`, see
            `GatedGraphCell`.
        outgoing: The same for the successors.
        users: Vectors of the users, shape `(N, user_width)`. The first call
            decides whether there are users. Defaults to `None`.

    Returns:
        When called, the new states, of the same shape.

    Raises:
        ValueError: If `steps` is not an integer of at least 1, or a call has
            users and the first one had none, or the reverse.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import PersonalizedGraphCell, SessionGraph
    >>> matrices = SessionGraph()(np.array([[3, 1, 3, 2]]))
    >>> states, users = np.ones((1, 4, 8)), np.ones((1, 5))
    >>> cell = PersonalizedGraphCell()
    >>> tuple(cell(states, *matrices, users=users).shape)
    (1, 4, 8)

    References:
        - Zhang et al., Personalized graph neural networks with attention
          mechanism for session-aware recommendation, IEEE TKDE 2020,
          arXiv 1910.08887
    """

    def build(
        self,
        states_shape: tuple[Any, ...],
        incoming_shape: Any = None,
        outgoing_shape: Any = None,
        users_shape: tuple[Any, ...] | None = None,
    ) -> None:
        """Create the weights, for states and users of these shapes."""
        self._user_width = users_shape and users_shape[-1]
        super().build(states_shape)

    def _build_messages(self, width: int) -> None:
        if self._user_width:
            shape = (self._user_width, 2 * width)
            self.user_kernel = self.weight("user_kernel", shape, width)

    def _gru(self, width: int, **arguments: Any) -> keras.layers.GRUCell:
        return super()._gru(
            width, reset_after=False, bias_initializer=_gates_open
        )

    def call(
        self,
        states: Tensor,
        incoming: Tensor,
        outgoing: Tensor,
        users: Tensor = None,
    ) -> Tensor:
        """Return the new states."""
        if (users is None) != (self._user_width is None):
            there = "users" if self._user_width else "no users"
            raise ValueError(
                f"Invalid value for argument `users`. Expected {there}, as in "
                "the first call. Received: "
                + ("None" if users is None else "users")
                + ". Pass a vector for each session, zeros for unknown users"
            )
        of_user: Any = 0
        if users is not None:
            kernel = ops.cast(self.user_kernel, users.dtype)
            of_user = ops.matmul(users, kernel)[:, None]
        for _ in range(self.steps):
            sent = self._sent(states) + of_user
            messages = self._passed(sent, incoming, outgoing)
            states = self._taken_in(messages, states)
        return states


def _gates_open(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """Biases of the gates, 1, and of the candidate, 0."""
    third = shape[-1] // 3
    return ops.concatenate(
        [ops.ones((2 * third,), dtype), ops.zeros((third,), dtype)]
    )
