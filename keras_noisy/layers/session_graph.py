"""The graph of a session of clicks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import boolean
from keras_noisy._clicks import checked_clicks

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SessionGraph(keras.layers.Layer):
    """Adjacency matrices of sessions: which item is clicked after which.

    A node is an item of the session, and an edge leads from each click to the
    next. Here each row and column belongs to a click, so that states stay at
    the positions of the clicks. Rows of the same item are equal, and the
    columns of an item are zero except the one of its first click. Multiplied by
    states that are the same for every click of an item, they give the same
    result as matrices of the distinct items.

    Formula:

    ```
    incoming[v, u] = edges(u, v) / sum_w edges(w, v)
    outgoing[u, v] = edges(u, v) / sum_w edges(u, w)
    ```

    where sums are over distinct items. A row without edges is zero. Each node
    averages over those before it, and over those after it.

    Args:
        counts: Whether `edges(u, v)` is how often v follows u; otherwise it is
            1 if it ever does, as in SR-GNN. Defaults to `False`.
        transposed: Whether both matrices are transposed, as in the code of
            A-PGNN and the TensorFlow code of SR-GNN, which skip a
            transposition. Rows then do not sum to 1. Defaults to `False`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        clicks: Item numbers from 1, integers of shape `(N, length)`; 0 is no
            click. There is no edge across a 0, so earlier sessions of a user
            can come before this one.

    Returns:
        When called, `(incoming, outgoing)`, each of shape
        `(N, length, length)`.

    Raises:
        ValueError: If an argument is not True or False, or `clicks` does
            not have two axes.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.layers import SessionGraph
    >>> incoming, outgoing = SessionGraph()(np.array([[7, 5, 7, 8]]))
    >>> keras.ops.convert_to_numpy(outgoing)[0].tolist()[0]
    [0.0, 0.5, 0.0, 0.5]

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
        - Zhang et al., Personalized graph neural networks with attention
          mechanism for session-aware recommendation, IEEE TKDE 2020,
          arXiv 1910.08887
    """

    def __init__(
        self, counts: bool = False, transposed: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.counts = boolean("counts", counts)
        self.transposed = boolean("transposed", transposed)
        self.built = True

    def call(self, clicks: Tensor) -> tuple[Tensor, Tensor]:
        """Return both matrices."""
        clicks = checked_clicks(clicks)
        valid = ops.not_equal(clicks, 0)
        same = ops.logical_and(
            ops.equal(clicks[:, :, None], clicks[:, None, :]),
            ops.logical_and(valid[:, :, None], valid[:, None, :]),
        )
        same = ops.cast(same, self.compute_dtype)
        # Row t marks the clicks with the item of click t + 1.
        following = ops.pad(same[:, 1:], [[0, 0], [0, 1], [0, 0]])
        edges = ops.matmul(same, following)
        if not self.counts:
            edges = ops.minimum(edges, 1)
        # A click is the first of its item if no earlier one is the same.
        earlier = ops.sum(ops.tril(same, -1), axis=2)
        first = ops.cast(
            ops.logical_and(valid, ops.equal(earlier, 0)), self.compute_dtype
        )
        rows, columns = first[:, :, None], first[:, None, :]
        in_degree = ops.sum(rows * edges, axis=1, keepdims=True)
        out_degree = ops.sum(columns * edges, axis=2, keepdims=True)
        by_in = edges / ops.maximum(in_degree, 1)
        by_out = edges / ops.maximum(out_degree, 1)
        if self.transposed:
            return by_in * columns, ops.transpose(by_out, (0, 2, 1)) * columns
        return ops.transpose(by_in, (0, 2, 1)) * columns, by_out * columns

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[tuple[int | None, ...], ...]:
        """Shapes of both matrices."""
        rows, length = input_shape
        return (rows, length, length), (rows, length, length)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "counts": self.counts,
            "transposed": self.transposed,
        }
