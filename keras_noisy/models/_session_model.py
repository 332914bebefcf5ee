"""The common part of session models: items, padding, recommendations."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy._initializers import fresh_initializer

Tensor = Any


class SessionModel(keras.Model):
    """A model of clicks that outputs a score for every item."""

    def __init__(
        self,
        num_items: int,
        units: int,
        initializer: Any,
        regularizer: Any,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_items = integer("num_items", num_items, 1)
        self.units = integer("units", units, 1)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.items = self._vectors(self.num_items, self.units, "items")

    def _vectors(
        self, count: int, width: int, name: str
    ) -> keras.layers.Embedding:
        """A trained vector for each number from 0, built."""
        layer = keras.layers.Embedding(
            count,
            width,
            embeddings_initializer=fresh_initializer(
                self.initializer, self.units
            ),
            embeddings_regularizer=self.regularizer,
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build()
        return layer

    def _dense(self, width: int) -> keras.layers.Dense:
        """A layer that maps the parts of a session to one vector, built."""
        layer = keras.layers.Dense(
            self.units,
            kernel_initializer=fresh_initializer(self.initializer, self.units),
            bias_initializer=fresh_initializer(self.initializer, self.units),
            kernel_regularizer=self.regularizer,
            bias_regularizer=self.regularizer,
            name="session",
            dtype=self.dtype_policy,
        )
        layer.build((None, width))
        return layer

    @property
    def _shared(self) -> dict[str, Any]:
        """Arguments of every layer."""
        return {
            "initializer": self.initializer,
            "regularizer": self.regularizer,
            "dtype": self.dtype_policy,
        }

    def build(self, input_shape: Any = None) -> None:
        """Mark the model as built; its layers already are."""
        self.built = True

    def _looked_up(
        self, layer: keras.layers.Embedding, numbers: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of numbers from 1, and masks of not 0 and of invalid ones."""
        count = layer.input_dim
        there = ops.not_equal(numbers, 0)
        wrong = ops.logical_or(numbers < 0, numbers > count)
        vectors = layer(ops.clip(numbers - 1, 0, count - 1))
        return ops.where(there[..., None], vectors, 0), there, wrong

    def _scores(self, session: Tensor, is_wrong: Tensor) -> Tensor:
        """Scores of all items by the vector of each session."""
        # A number that is not an item must not be read as another item.
        session = ops.where(is_wrong[:, None], float("nan"), session)
        return ops.matmul(session, ops.transpose(self._candidates()))

    def _candidates(self) -> Tensor:
        vectors = ops.convert_to_tensor(self.items.embeddings)
        return ops.cast(vectors, self.compute_dtype)

    def recommend(
        self, session: Any, k: int = 20, **inputs: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The items that are most likely to be clicked next.

        Args:
            session: Clicks of one session in order, as item numbers from 1.
            k: Number of items to return. Defaults to `20`.
            **inputs: Other inputs of the model, such as `user`.

        Returns:
            Item numbers and their scores, each of shape `(k,)`, the best first.

        Raises:
            ValueError: If `session` is empty or has a number that is not an
                item, or if `k` is not from 1 to the number of items.
        """
        clicks = np.asarray(session)
        expected = f"one session of item numbers from 1 to {self.num_items}"
        if (
            clicks.ndim != 1
            or clicks.size == 0
            or clicks.dtype.kind not in "iu"
            or clicks.min() < 1
            or clicks.max() > self.num_items
        ):
            raise invalid("session", session, expected)
        if integer("k", k, 1) > self.num_items:
            raise invalid("k", k, f"at most the {self.num_items} items")
        scores = self(self._inputs(clicks[None].astype("int32"), **inputs))
        scores = ops.convert_to_numpy(ops.cast(scores, "float32"))[0]
        best = np.argsort(-scores, kind="stable")[:k]
        return best + 1, scores[best]

    def _inputs(self, clicks: np.ndarray) -> Any:
        return clicks

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Shape of the scores."""
        return input_shape[0], self.num_items

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "num_items": self.num_items,
            "units": self.units,
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }
