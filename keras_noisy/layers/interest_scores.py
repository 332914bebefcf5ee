"""Scores of candidates by the clicks that are similar to each of them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy._clicks import masked_softmax, valid_positions
from keras_noisy.layers._session_layer import SessionLayer

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class InterestScores(SessionLayer):
    """Target-aware attention: every candidate attends to the session itself.

    Each candidate item has its own interest vector, the mean of the states that
    are relevant to that item. The scores for tens of thousands of candidates
    are computed without these vectors, in slices that are recomputed for the
    gradient, so memory only has to hold one slice.

    Formula:

    ```
    beta_i = softmax_i(b . W h_i)        # over clicks that are not padding
    t_b = sum_i beta_i h_i               # the interest vector of candidate b
    outputs_b = b . t_b = sum_i beta_i (b . h_i)
    ```

    The published code has padding in the softmax, so a score depends on the
    amount of padding; here it never does.

    Args:
        slice_size: How many candidates are scored at a time, an integer of at
            least 1. Defaults to `4096`.
        initializer: An initializer of `W`. Defaults to `None`: uniform between
            -1 and 1 over the square root of the width.
        regularizer: A regularizer of `W`. Defaults to `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        states: States of shape `(N, length, width)`.
        candidates: Vectors of the candidates, shape `(K, width)`.
        states_mask: Which positions are clicks, booleans of shape
            `(N, length)`. Defaults to `None`: the mask that an `Embedding`
            made, or all of them.

    Returns:
        When called, the scores `b . t_b`, of shape `(N, K)`.
        `vectors(states, candidates, states_mask)` gives the `t_b`, of shape
        `(N, K, width)`, for a few candidates.

    Raises:
        ValueError: If `slice_size` is not an integer of at least 1.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import InterestScores
    >>> draw = np.random.default_rng(0).normal
    >>> states, candidates = draw(size=(2, 5, 8)), draw(size=(1000, 8))
    >>> tuple(InterestScores(slice_size=256)(states, candidates).shape)
    (2, 1000)

    References:
        - Yu et al., TAGNN: target attentive graph neural networks for
          session-based recommendation, SIGIR 2020, arXiv 2005.02844
    """

    def __init__(
        self,
        slice_size: int = 4096,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(initializer, regularizer, **kwargs)
        self.slice_size = integer("slice_size", slice_size, 1)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the matrix, for states of this shape."""
        width = input_shape[-1]
        self.kernel = self.weight("kernel", (width, width), width)

    def call(
        self, states: Tensor, candidates: Tensor, states_mask: Tensor = None
    ) -> Tensor:
        """Return the scores."""
        valid = valid_positions(states, states_mask)[..., None]
        # Padding must not affect the gradient either.
        states = ops.where(valid, states, 0)
        keys = self._keys(states)
        total, size = candidates.shape[0], self.slice_size
        if total <= size:
            return _scores(states, keys, valid, candidates)
        # On TensorFlow, recomputed functions cannot take booleans.
        weights = ops.cast(valid, states.dtype)
        scores = keras.remat(_scores)
        count = -(-total // size)
        slices = ops.pad(candidates, [[0, count * size - total], [0, 0]])
        slices = ops.reshape(slices, (count, size, candidates.shape[1]))
        # In an unrolled loop, XLA would hold all slices in memory at once.
        found = ops.map(
            lambda part: scores(states, keys, weights, part), slices
        )
        found = ops.transpose(found, (1, 0, 2))
        return ops.reshape(found, (-1, count * size))[:, :total]

    def vectors(
        self, states: Tensor, candidates: Tensor, states_mask: Tensor = None
    ) -> Tensor:
        """The interest vector of each candidate.

        Args:
            states: As in a call.
            candidates: As in a call.
            states_mask: As in a call. Defaults to `None`.

        Returns:
            A tensor of the shape of the candidates for each session.
        """
        states = ops.convert_to_tensor(states, self.compute_dtype)
        candidates = ops.convert_to_tensor(candidates, self.compute_dtype)
        valid = valid_positions(states, states_mask)[..., None]
        states = ops.where(valid, states, 0)
        beta = _attention(self._keys(states), valid, candidates)
        return ops.matmul(ops.transpose(beta, (0, 2, 1)), states)

    def _keys(self, states: Tensor) -> Tensor:
        return ops.matmul(states, ops.cast(self.kernel, states.dtype))

    def compute_output_shape(
        self,
        states_shape: tuple[int | None, ...],
        candidates_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        """Shape of the scores."""
        return states_shape[0], candidates_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {**super().get_config(), "slice_size": self.slice_size}


def _attention(keys: Tensor, valid: Tensor, candidates: Tensor) -> Tensor:
    """Weights of the clicks, shape `(N, length, K)`."""
    scores = ops.matmul(keys, ops.transpose(candidates))
    return masked_softmax(scores, ops.cast(valid, "bool"), axis=1)


def _scores(
    states: Tensor, keys: Tensor, valid: Tensor, candidates: Tensor
) -> Tensor:
    beta = _attention(keys, valid, candidates)
    alike = ops.matmul(states, ops.transpose(candidates))
    return ops.sum(beta * alike, axis=1)
