"""A classifier by the cosine between features and classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer, invalid, real
from keras_noisy.layers.gaussian_cloud import GaussianCloud

Tensor = Any

#: Shorter vectors are divided by this instead of their norm.
FLOOR = 1e-12


@keras.saving.register_keras_serializable("keras_noisy")
class CosineDense(keras.layers.Layer):
    """Cosine classifier: logits do not depend on the length of class vectors.

    The class vectors of a `Dense` layer grow with the number of samples of
    their class, so rare classes lose. Here features and class vectors have
    length 1, and there is no bias. Use it as the last layer, with a loss of
    logits, and with a `GaussianCloud` for long-tailed data.

    Formula:

    ```
    cos_k = x . w_k / (||x|| * ||w_k||)
    outputs = scale * cos_k                 # scale * cloud(cos_k) in training
    ```

    where norms are at least 1e-12, and vectors below that have no gradient.

    Args:
        units: Number of classes, an integer of at least 1.
        scale: Factor of the cosines, a positive number. A softmax of plain
            cosines could not get near 0 or 1. Defaults to `30.0`.
        cloud: A `GaussianCloud` that acts on the cosines, before the scale.
            Defaults to `None`.
        kernel_initializer: An initializer of the class vectors, shape
            `(features, units)`. Defaults to `None`: uniform in (-1, 1), then
            each class vector scaled to length 1, as published.
        kernel_regularizer: A regularizer of the class vectors. Defaults to
            `None`.
        kernel_constraint: A constraint of the class vectors. Defaults to
            `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Features of shape `(..., features)`.
        labels: Labels for the margin of an angular `cloud`, see there.
            Defaults to `None`.
        training: Whether the cloud acts. Defaults to `False`.

    Returns:
        When called, logits of shape `(..., units)`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.layers import CosineDense
    >>> layer = CosineDense(2, scale=10.0, kernel_initializer="identity")
    >>> logits = keras.ops.convert_to_numpy(layer(np.array([[3.0, 4.0]])))
    >>> logits.round(4).tolist()
    [[6.0, 8.0]]

    A head for 100 classes, the first of which is the most frequent:

    >>> from keras_noisy.layers import GaussianCloud
    >>> counts = np.geomspace(500, 5, 100)
    >>> head = CosineDense(100, cloud=GaussianCloud(counts))

    References:
        - Li, Cheung, Lu, Long-tailed visual recognition via Gaussian clouded
          logit adjustment, CVPR 2022
        - Gidaris, Komodakis, Dynamic few-shot visual learning without
          forgetting, CVPR 2018, arXiv 1804.09458
    """

    def __init__(
        self,
        units: int,
        scale: float = 30.0,
        cloud: GaussianCloud | None = None,
        kernel_initializer: Any = None,
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = integer("units", units, 1)
        self.scale = real("scale", scale, 0)
        if isinstance(cloud, dict):
            cloud = keras.saving.deserialize_keras_object(cloud)
        if cloud is not None and not isinstance(cloud, GaussianCloud):
            raise invalid("cloud", cloud, "a GaussianCloud, or None")
        self.cloud = cloud
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the class vectors."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer or _unit_vectors,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.cloud is not None:
            self.cloud.build((*input_shape[:-1], self.units))

    def cosines(self, inputs: Tensor) -> Tensor:
        """Cosines between features and class vectors, without cloud or scale.

        Args:
            inputs: Features of shape `(..., dim)`.

        Returns:
            A tensor of shape `(..., units)`, in [-1, 1].
        """
        features = _normalized(inputs, -1)
        vectors = _normalized(ops.convert_to_tensor(self.kernel), 0)
        return ops.matmul(features, vectors)

    def call(
        self, inputs: Tensor, labels: Tensor = None, training: bool = False
    ) -> Tensor:
        """Return the logits."""
        cosines = self.cosines(inputs)
        if self.cloud is not None:
            cosines = self.cloud(cosines, labels=labels, training=training)
        return self.scale * cosines

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of the logits."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "units": self.units,
            "scale": self.scale,
            "cloud": keras.saving.serialize_keras_object(self.cloud),
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "kernel_regularizer": keras.regularizers.serialize(
                self.kernel_regularizer
            ),
            "kernel_constraint": keras.constraints.serialize(
                self.kernel_constraint
            ),
        }


def _unit_vectors(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """Class vectors uniform in (-1, 1), then scaled to length 1."""
    draw = keras.initializers.RandomUniform(-1.0, 1.0)
    return _normalized(draw(shape, dtype=dtype), 0)


def _normalized(x: Tensor, axis: int) -> Tensor:
    """Vectors along an axis divided by their norm."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    # In half precision, squares overflow from 256 on.
    wide = ops.cast(x, "float64" if dtype == "float64" else "float32")
    squares = ops.sum(ops.square(wide), axis=axis, keepdims=True)
    # A vector without direction gets no gradient: it would be 1e12 times as
    # large.
    has_direction = squares > FLOOR**2
    norm = ops.sqrt(ops.where(has_direction, squares, 1.0))
    short = ops.stop_gradient(wide) / FLOOR
    return ops.cast(ops.where(has_direction, wide / norm, short), dtype)
