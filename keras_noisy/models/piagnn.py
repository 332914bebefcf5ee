"""PIA-GNN, as its abstract describes it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy._clicks import checked_clicks, last_state, whole_numbers
from keras_noisy.layers import (
    InterestScores,
    PersonalizedGraphCell,
    SessionAttention,
    SessionGraph,
    SessionReadout,
)
from keras_noisy.models._session_model import SessionModel

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class PIAGNN(SessionModel):
    """Predicts the next click of a session from its graph and its user.

    The personalized interest attention graph network has three parts: a graph
    network that knows the user, an interest vector for each candidate item,
    and self-attention for long-term interest. It is based only on the abstract
    of the paper: the parts are those of the closest published programs, and
    their combination is our reading.

    Formula:

    ```
    h = PersonalizedGraphCell(items of the clicks, user)   # edges are counted
    l = SessionReadout(SessionAttention(h), project_last=True)
    s = B [h_last ; l ; user] + b
    score of item b = b . (s + t_b)                # t_b of InterestScores
    ```

    Without users, as in Diginetica, the user part is left out.

    Args:
        num_items: Number of items, an integer of at least 1.
        units: Width of all vectors. Defaults to `100`.
        num_users: Number of users, each with a trained vector, an integer of
            at least 0. Defaults to `0`, a model without users.
        user_units: Width of the vector of a user. Defaults to `50`.
        steps: How often states pass along the edges. Defaults to `1`.
        slice_size: Number of candidates to score at a time. Defaults to
            `4096`.
        initializer: Initializer for every weight, except the biases of the
            GRU. Defaults to `None`: uniform between `-1 / sqrt(units)` and
            `1 / sqrt(units)`.
        regularizer: Regularizer for every weight. Defaults to `None`.
        **kwargs: Arguments of `keras.Model`, such as `dtype`.

    Call arguments:
        inputs: Item numbers from 1, integers of shape `(N, length)`. With
            users, a pair `(clicks, users)`: users are numbered from 1, integers
            of shape `(N,)`, and 0 is an unknown user. 0 in `clicks` is padding,
            at either end, and never changes a score. Scores are NaN for a
            session without clicks or with a number that is no item or user.

    Returns:
        A `keras.Model`, built. When called it returns logits of shape
        `(N, num_items)`; column j is item j + 1.
        `recommend(session, k, user=0)` gives the best items of one session.

    Raises:
        ValueError: If an argument is outside its range, or if inputs do not
            have the form above.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.models import PIAGNN
    >>> model = PIAGNN(num_items=30, units=8, num_users=5, user_units=4)
    >>> clicks, users = np.array([[1, 2, 0], [7, 9, 7]]), np.array([3, 0])
    >>> tuple(model((clicks, users)).shape)
    (2, 30)
    >>> items, scores = model.recommend([1, 2], k=5, user=3)
    >>> items.shape
    (5,)

    References:
        - Zhang et al., Personalized interest attention graph neural networks
          for session-based recommendation, Entropy 23(11):1500, 2021
        - Zhang et al., Personalized graph neural networks with attention
          mechanism for session-aware recommendation, IEEE TKDE 2020,
          arXiv 1910.08887
        - Yu et al., TAGNN: target attentive graph neural networks for
          session-based recommendation, SIGIR 2020, arXiv 2005.02844
    """

    def __init__(
        self,
        num_items: int,
        units: int = 100,
        num_users: int = 0,
        user_units: int = 50,
        steps: int = 1,
        slice_size: int = 4096,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_items, units, initializer, regularizer, **kwargs)
        self.num_users = integer("num_users", num_users, 0)
        self.user_units = integer("user_units", user_units, 1)
        self.steps = integer("steps", steps, 1)
        self.slice_size = integer("slice_size", slice_size, 1)
        self.graph = SessionGraph(counts=True, dtype=self.dtype_policy)
        self.cell = PersonalizedGraphCell(self.steps, **self._shared)
        self.attention = SessionAttention(**self._shared)
        self.readout = SessionReadout(project_last=True, **self._shared)
        self.interest = InterestScores(self.slice_size, **self._shared)
        shape, of_user, width = (None, None, self.units), None, 3 * self.units
        self.users = None
        if self.num_users:
            self.users = self._vectors(self.num_users, self.user_units, "users")
            of_user = None, self.user_units
            width += self.user_units
        self.cell.build(shape, shape, shape, of_user)
        for layer in (self.attention, self.readout, self.interest):
            layer.build(shape)
        self.session = self._dense(width)
        self.build()

    def call(self, inputs: Any) -> Tensor:
        """Scores of all items."""
        clicks, users = inputs, None
        if isinstance(inputs, (tuple, list)) != bool(self.num_users):
            raise ValueError(
                "Expected inputs "
                + ("(clicks, users)" if self.num_users else "`clicks`")
                + f", as num_users={self.num_users}. Received: "
                f"{type(inputs).__name__}. Give the model the number of users, "
                "or leave them out"
            )
        if self.num_users:
            clicks, users = inputs
        clicks = checked_clicks(clicks)
        vectors, valid, wrong = self._looked_up(self.items, clicks)
        is_wrong = ops.logical_or(ops.any(wrong, 1), ~ops.any(valid, 1))
        of_user = []
        user = None
        if users is not None:
            users = ops.reshape(whole_numbers(users), (-1,))
            user, _, unknown = self._looked_up(self.users, users)
            is_wrong = ops.logical_or(is_wrong, unknown)
            of_user = [user]
        states = self.cell(vectors, *self.graph(clicks), users=user)
        long_term = self.readout(self.attention(states, mask=valid), mask=valid)
        last = last_state(states, valid)
        session = self.session(
            ops.concatenate([last, long_term, *of_user], axis=-1)
        )
        interest = self.interest(states, self._candidates(), states_mask=valid)
        return self._scores(session, is_wrong) + interest

    def _inputs(self, clicks: np.ndarray, user: int = 0) -> Any:
        if integer("user", user, 0) > self.num_users:
            raise invalid("user", user, f"at most {self.num_users}")
        if not self.num_users:
            return clicks
        return clicks, np.array([user], "int32")

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Shape of the scores."""
        first = input_shape[0] if self.num_users else input_shape
        return super().compute_output_shape(first)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "num_users": self.num_users,
            "user_units": self.user_units,
            "steps": self.steps,
            "slice_size": self.slice_size,
        }
