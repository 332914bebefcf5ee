"""One vector for a session, from the states of its clicks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import boolean
from keras_noisy._clicks import last_state, masked_softmax, valid_positions
from keras_noisy.layers._session_layer import SessionLayer

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SessionReadout(SessionLayer):
    """Attention readout: a vector of the whole session, and its last click.

    The weight of each click is its relevance to the last click.

    Formula:

    ```
    alpha_i = q . sigmoid(W1 h_last + W2 h_i + b)
    outputs = [sum_i alpha_i h_i ; h_last]
    ```

    over clicks that are not padding. This is SR-GNN, which multiplies the
    outputs by a matrix (a `Dense` layer). The weights are not normalized; in
    TAGNN they are a softmax. In STAMP and A-PGNN the last part is `W1 h_last`.

    Args:
        normalize: Whether `alpha` passes through a softmax over the clicks, as
            in TAGNN. Defaults to `False`.
        project_last: Whether the last part is `W1 h_last`. Defaults to
            `False`.
        initializer: An initializer of every weight. Defaults to `None`:
            uniform between -1 and 1 over the square root of the width.
        regularizer: A regularizer of every weight. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: States of shape `(N, length, width)`.
        mask: Which positions are clicks, booleans of shape `(N, length)`.
            Defaults to `None`: the mask that an `Embedding` made, or all of
            them.

    Returns:
        When called, an array of shape `(N, 2 * width)`.

    Raises:
        ValueError: If `normalize` or `project_last` is not True or False.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import SessionReadout
    >>> states = np.random.default_rng(0).normal(size=(2, 5, 8))
    >>> mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    >>> tuple(SessionReadout()(states, mask=mask).shape)
    (2, 16)

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
        - Liu et al., STAMP: short-term attention/memory priority model for
          session-based recommendation, KDD 2018
    """

    def __init__(
        self,
        normalize: bool = False,
        project_last: bool = False,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(initializer, regularizer, **kwargs)
        self.normalize = boolean("normalize", normalize)
        self.project_last = boolean("project_last", project_last)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weights, for states of this shape."""
        width = input_shape[-1]
        self.last_kernel = self.weight("last_kernel", (width, width), width)
        self.kernel = self.weight("kernel", (width, width), width)
        self.bias = self.weight("bias", (width,), width)
        self.query = self.weight("query", (width, 1), width)

    def call(self, states: Tensor, mask: Tensor = None) -> Tensor:
        """Return both parts, concatenated."""
        valid = valid_positions(states, mask)
        last = last_state(states, valid)
        last_kernel, kernel, bias, query = (
            ops.cast(weight, states.dtype)
            for weight in (self.last_kernel, self.kernel, self.bias, self.query)
        )
        projected = ops.matmul(last, last_kernel)
        keys = ops.matmul(states, kernel) + bias
        alpha = ops.matmul(ops.sigmoid(projected[:, None] + keys), query)
        if self.normalize:
            alpha = masked_softmax(alpha, valid[..., None], axis=1)
        # Padding may hold anything, such as NaN, and 0 times NaN is not 0.
        weighed = ops.where(valid[..., None], alpha * states, 0)
        whole = ops.sum(weighed, axis=1)
        return ops.concatenate(
            [whole, projected if self.project_last else last], axis=-1
        )

    def compute_output_shape(
        self, input_shape: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """Shape of the vectors."""
        return input_shape[0], 2 * input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "normalize": self.normalize,
            "project_last": self.project_last,
        }
