"""SR-GNN and TAGNN."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import boolean, integer
from keras_noisy._clicks import checked_clicks
from keras_noisy.layers import (
    GatedGraphCell,
    InterestScores,
    SessionGraph,
    SessionReadout,
)
from keras_noisy.models._session_model import SessionModel

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class SRGNN(SessionModel):
    """Predicts the next click of a session by a graph network over its clicks.

    A session is a graph: its nodes are items, and its edges lead from one click
    to the next. Every item of the catalog is a class, and a click is a noisy
    label among tens of thousands of classes. Compile the model with any loss
    that takes logits.

    Formula:

    ```
    h = GatedGraphCell(items of the clicks)
    s = W3 SessionReadout(h) + b
    score of item b = b . s                    # b: its vector before the cell
    ```

    With `target_attention`, the model is TAGNN: a softmax is applied to the
    weights of the readout, and the score is `b . (s + t_b)`, where `t_b` is the
    interest vector of `InterestScores`.

    Published settings: Adam with a learning rate of 0.001, multiplied by 0.1
    every 3 epochs; `regularizer=keras.regularizers.L2(5e-6)`, whose gradient
    is 1e-5 w; batches of 100.

    Args:
        num_items: Number of items, an integer of at least 1.
        units: Width of all vectors. Defaults to `100`.
        steps: How often states pass along the edges. Defaults to `1`.
        target_attention: Whether each candidate has its own attention over the
            session, which takes several times as long. Defaults to `False`.
        initializer: Initializer for every weight. Defaults to `None`: uniform
            between `-1 / sqrt(units)` and `1 / sqrt(units)`, as published.
        regularizer: Regularizer for every weight. Defaults to `None`.
        **kwargs: Arguments of `keras.Model`, such as `dtype`.

    Call arguments:
        inputs: Item numbers from 1, integers of shape `(N, length)`. 0 is
            padding, at either end, and never changes a score. Scores are NaN
            for a session without clicks or with a number that is no item.

    Returns:
        A `keras.Model`, built. When called it returns logits of shape
        `(N, num_items)`; column j is item j + 1. `recommend(session, k)` gives
        the best items of one session.

    Raises:
        ValueError: If an argument is outside its range, or if inputs do not
            have two axes.

    Example:

    >>> import numpy as np
    >>> from keras_noisy import GCE
    >>> from keras_noisy.datasets import SessionDataset, Sessions
    >>> from keras_noisy.models import SRGNN
    >>> sessions = Sessions([[1, 2, 3], [2, 3, 1, 2], [3, 1]], num_items=3)
    >>> model = SRGNN(num_items=3, units=8)
    >>> model.compile("adam", GCE("auto", num_classes=3, from_logits=True))
    >>> data = SessionDataset(sessions, batch_size=2, training=True)
    >>> history = model.fit(data, shuffle=False, verbose=0)
    >>> model.predict(np.array([[1, 2, 0]]), verbose=0).shape
    (1, 3)

    References:
        - Wu et al., Session-based recommendation with graph neural networks,
          AAAI 2019, arXiv 1811.00855
        - Yu et al., TAGNN: target attentive graph neural networks for
          session-based recommendation, SIGIR 2020, arXiv 2005.02844
    """

    def __init__(
        self,
        num_items: int,
        units: int = 100,
        steps: int = 1,
        target_attention: bool = False,
        initializer: Any = None,
        regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_items, units, initializer, regularizer, **kwargs)
        self.steps = integer("steps", steps, 1)
        self.target_attention = boolean("target_attention", target_attention)
        self.graph = SessionGraph(dtype=self.dtype_policy)
        self.cell = GatedGraphCell(self.steps, **self._shared)
        self.readout = SessionReadout(self.target_attention, **self._shared)
        self.interest = (
            InterestScores(**self._shared) if self.target_attention else None
        )
        for layer in (self.cell, self.readout, self.interest):
            if layer is not None:
                layer.build((None, None, self.units))
        self.session = self._dense(2 * self.units)
        self.build()

    def call(self, inputs: Tensor) -> Tensor:
        """Scores of all items."""
        clicks = checked_clicks(inputs)
        vectors, valid, wrong = self._looked_up(self.items, clicks)
        states = self.cell(vectors, *self.graph(clicks))
        session = self.session(self.readout(states, mask=valid))
        is_wrong = ops.logical_or(ops.any(wrong, 1), ~ops.any(valid, 1))
        scores = self._scores(session, is_wrong)
        if self.interest is None:
            return scores
        return scores + self.interest(
            states, self._candidates(), states_mask=valid
        )

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "steps": self.steps,
            "target_attention": self.target_attention,
        }
