"""Self-attention over the clicks of a session."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import boolean
from keras_noisy._clicks import masked_softmax, valid_positions
from keras_noisy.layers._session_layer import SessionLayer

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SessionAttention(SessionLayer):
    """Attention block of A-PGNN, for the long-term interests of a user.

    It has one head and a residual connection. With the session itself as keys
    it is self-attention; A-PGNN uses earlier sessions of the user as keys.

    Formula:

    ```
    Q, K, V = relu(x W_q), relu(keys W_k), relu(keys W_v)
    outputs = softmax(Q K' / sqrt(width)) V + x
    ```

    over keys that are not padding. If all keys are padding, `outputs = x`.

    Args:
        normalize: Whether outputs pass through a `LayerNormalization` with
            epsilon 1e-8, as published for one of two data sets. Defaults to
            `False`.
        initializer: An initializer of the three matrices. Defaults to `None`:
            uniform between -1 and 1 over the square root of the width.
        regularizer: A regularizer of the matrices. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: Queries `x`, of shape `(N, length, width)`.
        keys: Keys, of shape `(N, keys, width)`. Defaults to `None`, the
            `states`.
        mask: Which keys are not padding, booleans of shape `(N, keys)`.
            Defaults to `None`: the mask that an `Embedding` made, if the keys
            are the states, or all of them.

    Returns:
        When called, an array of the shape of `states`.

    Raises:
        ValueError: If `normalize` is not True or False.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import SessionAttention
    >>> states = np.random.default_rng(0).normal(size=(2, 5, 8))
    >>> tuple(SessionAttention()(states).shape)
    (2, 5, 8)

    References:
        - Zhang et al., Personalized graph neural networks with attention
          mechanism for session-aware recommendation, IEEE TKDE 2020,
          arXiv 1910.08887
        - Vaswani et al., Attention is all you need, NIPS 2017,
          arXiv 1706.03762
    """

    def __init__(
        self,
        normalize: bool = False,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(initializer, regularizer, **kwargs)
        self.normalize = boolean("normalize", normalize)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weights, for states of this shape."""
        width = input_shape[-1]
        self.query_kernel, self.key_kernel, self.value_kernel = (
            self.weight(f"{name}_kernel", (width, width), width)
            for name in ("query", "key", "value")
        )
        self.norm = None
        if self.normalize:
            self.norm = keras.layers.LayerNormalization(
                epsilon=1e-8, dtype=self.dtype_policy, name="norm"
            )
            self.norm.build((None, None, width))

    def call(
        self, states: Tensor, keys: Tensor = None, mask: Tensor = None
    ) -> Tensor:
        """Return the states plus the output of the attention."""
        keys = states if keys is None else keys
        valid = valid_positions(keys, mask)
        keys = ops.where(valid[..., None], keys, 0)
        query, key, value = (
            ops.relu(ops.matmul(x, ops.cast(kernel, x.dtype)))
            for x, kernel in (
                (states, self.query_kernel),
                (keys, self.key_kernel),
                (keys, self.value_kernel),
            )
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
        scores = scores / states.shape[-1] ** 0.5
        attention = masked_softmax(scores, valid[:, None, :], axis=-1)
        outputs = ops.matmul(attention, value) + states
        return outputs if self.norm is None else self.norm(outputs)

    def compute_output_shape(
        self, states_shape: tuple[int | None, ...], *others: Any, **named: Any
    ) -> tuple[int | None, ...]:
        """Shape of the states."""
        return states_shape

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "normalize": self.normalize}
