"""Noise on logits that is larger for rarer classes."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import backend_seed, choice, invalid, real
from keras_noisy._class_counts import class_counts as checked_counts

Tensor = Any

FORMS = ("additive", "angular")
#: Draws are clipped to [-1, 1], which is three standard deviations.
DEVIATION = 1 / 3


@keras.saving.register_keras_serializable("keras_noisy")
class GaussianCloud(keras.layers.Layer):
    """Lowers the logits of rare classes by a random amount in training.

    A rare class has few samples, which cover little of its place in feature
    space. A cloud around each of them keeps the other classes away: the network
    has to learn larger logits for rare classes than without the cloud. The
    amount depends on how rare a class is, and is drawn for every class and
    every sample, whatever its label. Inputs pass unchanged in inference, or
    without a `margin` if all classes have the same count.

    Pass it to `CosineDense` as its `cloud`, or use it between a layer of
    cosines and one that scales them. With `Dense` instead of cosines, choose a
    `strength` in units of its logits. With soft labels and mixup, all labels of
    a sample share one draw, which is our reading; the authors draw anew for
    each label.

    Formula:

    ```
    r_k = log(n_max / n_k) / log(n_max / n_min)
    e_k ~ N(0, 1 / 9), kept in [-1, 1]
    outputs = z_k - strength * |e_k| * r_k         # "additive"

    t_k = pi / 2 * strength * |e_k| * r_k          # + margin, if k is the label
    outputs = cos(arccos(z_k) + t_k)               # "angular", or beyond pi
    outputs = z_k - sin(t_k)
    ```

    where `n` are the counts and `z` the inputs. The additive form has no margin
    of the true class: pass `logit_bias=-margin * scale` to the loss instead.

    Args:
        class_counts: Number of training samples of each class, positive
            numbers of shape `(num_classes,)`.
        strength: Largest amount that the rarest class can lose, a number of at
            least 0; published values are 0.5 and, for the angular form, 0.1.
            Defaults to `0.5`.
        form: `"additive"`, or `"angular"` as in the journal's version, whose
            inputs must be cosines. Defaults to `"additive"`.
        margin: Angle that is added for the true class, a number of at least 0,
            only for the angular form. With a margin, pass `labels` in training.
            Defaults to `0.0`.
        seed: Seed of the draws, an integer from 0 to 2147483647. Defaults to
            `None`, a random seed.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Cosines or logits of shape `(..., num_classes)`.
        labels: With a `margin`, integer labels of the leading shape of
            `inputs`, or one-hot or soft targets of their shape. Defaults to
            `None`.
        training: Whether to draw a cloud. Defaults to `False`.

    Returns:
        When called, a tensor of the shape of the inputs.

    Raises:
        ValueError: If an argument is outside its range, or the inputs have
            another number of classes.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.layers import GaussianCloud
    >>> cloud = GaussianCloud([100, 30, 3], strength=0.5, seed=0)
    >>> cosines = np.zeros((1, 3))
    >>> float(cloud(cosines, training=True)[0, 0])  # of the largest class
    0.0
    >>> bool(-0.5 <= cloud(cosines, training=True)[0, 2] < 0)
    True

    References:
        - Li, Cheung, Lu, Long-tailed visual recognition via Gaussian clouded
          logit adjustment, CVPR 2022
        - Li et al., the angular form, journal version, 2024
    """

    def __init__(
        self,
        class_counts: Any,
        strength: float = 0.5,
        form: str = "additive",
        margin: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        counts = checked_counts("class_counts", class_counts)
        self.class_counts = counts.tolist()
        self.strength = real("strength", strength, 0, closed="low")
        self.form = choice("form", form, FORMS)
        self.margin = real("margin", margin, 0, math.pi, closed="low")
        if self.margin and form == "additive":
            raise invalid(
                "margin",
                margin,
                '0 with form="additive", where the margin is a negative bias '
                "of the loss: pass `logit_bias=-margin * scale` to the loss",
            )
        rarity = np.log(counts.max()) - np.log(counts)
        # Equal counts have no cloud, instead of 0 / 0.
        self._rarity = rarity / (rarity.max() or 1.0)
        self.seed = None if seed is None else backend_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the number of classes."""
        if input_shape[-1] not in (None, len(self.class_counts)):
            raise ValueError(
                "Expected inputs with one entry for each of the "
                f"{len(self.class_counts)} classes of `class_counts` in their "
                f"last axis. Received: inputs of shape {tuple(input_shape)}. "
                "Count all classes, or change the `units` of the layer before"
            )

    def call(
        self, inputs: Tensor, labels: Tensor = None, training: bool = False
    ) -> Tensor:
        """Draw a cloud in training."""
        if not training or not (self.margin or np.any(self._rarity)):
            return inputs
        noise = keras.random.normal(
            ops.shape(inputs),
            stddev=DEVIATION,
            dtype=self.compute_dtype,
            seed=self.seed_generator,
        )
        return self.clouded(inputs, noise, labels)

    def clouded(
        self, inputs: Tensor, noise: Tensor, labels: Tensor = None
    ) -> Tensor:
        """Apply a cloud of given noise, in the shape of the inputs.

        Training calls this with a draw of standard deviation 1 / 3, which gets
        no gradient.

        Args:
            inputs: Cosines or logits of shape `(..., num_classes)`.
            noise: Numbers in their shape, kept in [-1, 1].
            labels: With a `margin`, as in a call. Defaults to `None`.

        Returns:
            A tensor of the shape of the inputs.

        Raises:
            ValueError: If there is a `margin` and no labels, or they do not
                fit the inputs.
        """
        inputs, noise = map(ops.convert_to_tensor, (inputs, noise))
        noise = ops.minimum(ops.abs(ops.stop_gradient(noise)), 1.0)
        amount = noise * ops.cast(self.strength * self._rarity, noise.dtype)
        if self.form == "additive":
            return inputs - amount
        turn = math.pi / 2 * amount
        if self.margin:
            turn = turn + self.margin * self._targets(inputs, labels)
        cosine, sine = ops.cos(turn), ops.sin(turn)
        # The root has no derivative at 0, its argument for cosines of 1.
        squares = ops.maximum(1 - ops.square(inputs), 1e-7)
        turned = inputs * cosine - ops.sqrt(squares) * sine
        return ops.where(inputs > -cosine, turned, inputs - sine)

    def _targets(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One-hot or soft targets in the shape of the inputs."""
        if labels is None:
            raise ValueError(
                "A `margin` needs to know the labels in training. Expected "
                "`cloud(cosines, labels=labels, training=True)`, or "
                "`margin=0`. Received: labels=None"
            )
        labels = ops.convert_to_tensor(labels)
        rank, classes = len(inputs.shape), len(self.class_counts)
        if len(labels.shape) == rank and labels.shape[-1] == classes:
            return ops.cast(labels, inputs.dtype)
        if len(labels.shape) == rank and labels.shape[-1] == 1:
            labels = ops.squeeze(labels, -1)
        if len(labels.shape) != rank - 1:
            raise ValueError(
                "Expected `labels` of the leading shape of the inputs, or "
                f"targets of {classes} classes. Received: labels of shape "
                f"{tuple(labels.shape)} for inputs of shape "
                f"{tuple(inputs.shape)}"
            )
        labels = ops.cast(labels, "int32")
        return ops.one_hot(labels, classes, dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "class_counts": [*self.class_counts],
            "strength": self.strength,
            "form": self.form,
            "margin": self.margin,
            "seed": self.seed,
        }
