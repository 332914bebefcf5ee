"""A pass-through layer that knows how much of a calibration is left."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._replicas import part_count
from keras_noisy.calibration.margin_fade import MarginFade, fresh_margin
from keras_noisy.layers.loss_state import PassThrough, value

Tensor = Any
Schedule = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable("keras_noisy")
class CalibrationFade(PassThrough):
    """Tells a loss how much of its calibration is left.

    A loss with `fade=` creates this layer as its `fading`, and
    `outputs = loss.connect(outputs)` puts it into the model. It returns its
    inputs unchanged, and counts the training batches or follows the margins in
    a non-trainable weight. So the compiled step is traced once, and a saved or
    resumed model continues where it stopped. To deploy a model without the
    layer, save `keras_noisy.layers.without_state(model)`.

    Args:
        fade: `"margin"`, a `keras_noisy.calibration.MarginFade`, or a
            `keras.optimizers.schedules.LearningRateSchedule` that gives the
            share of the calibration, from 1 to 0, at each training batch.
        key: Text by which a loss finds the layer when a model is loaded.
            Defaults to `None`, a new key.
        **kwargs: `num_classes`, if the inputs do not show it, and the
            arguments of `keras.layers.Layer`.

    Returns:
        When called, its inputs.

    Raises:
        ValueError: If `fade` is none of these.

    Example:

    >>> import keras
    >>> from keras_noisy import MAEStar
    >>> loss = MAEStar(num_classes=100, fade="margin")
    >>> inputs = keras.Input((8,))
    >>> outputs = keras.layers.Dense(100, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, loss.connect(outputs))
    >>> float(keras.ops.mean(loss.fading.share()))
    1.0

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
    """

    role = "`fade=`"

    def __init__(self, fade: Any, key: str | None = None, **kwargs: Any):
        super().__init__(key, **kwargs)
        self.fade = as_fade(fade)

    @property
    def by_margin(self) -> bool:
        """Whether it follows the margins instead of the steps."""
        return isinstance(self.fade, MarginFade)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the weight, for the number of classes of the inputs."""
        shape: tuple[int, ...] = ()
        start = 0.0
        if isinstance(self.fade, MarginFade):
            num_classes = self.num_classes or input_shape[-1]
            start = fresh_margin(num_classes)
            shape = (num_classes,) if self.fade.per_class else ()
            self._way = max(self.fade.margin_end - start, 1.0)
        self._start = start
        self.progress = self._add_state(
            "progress", shape, keras.initializers.Constant(start)
        )

    def begin_step(self) -> None:
        """Count the steps of training, if it follows them."""
        if not self.by_margin:
            self.progress.assign_add(1.0)

    def share(self) -> Tensor:
        """Share of the calibration that is left, of shape () or (classes,)."""
        self.check_built()
        progress = value(self.progress)
        if isinstance(self.fade, MarginFade):
            way = (progress - self._start) / self._way
            return 1 - ops.clip(way, 0.0, 1.0)
        # The current step has already been counted.
        share = self.fade(ops.maximum(progress - 1, 0.0))
        return ops.cast(share, "float32")

    def observe(self, margin: Tensor, index: Tensor, kept: Tensor) -> None:
        """Follow the finite margins of a batch, all of shape (N,)."""
        kept = ops.logical_and(kept, ops.isfinite(margin))
        level = value(self.progress)
        if self.fade.per_class:
            level = ops.take(level, index)
        above = ops.cast(margin > level, "float32")
        votes = ops.where(kept, above - (1 - self.fade.quantile), 0.0)
        rows = ops.cast(ops.shape(votes)[0], "float32")
        if self.fade.per_class:
            # Each replica has a part of the batch, and Keras takes the mean.
            classes, replicas = self.progress.shape[0], part_count()
            votes = replicas * ops.segment_sum(votes, index, classes)
            votes = votes / ops.maximum(replicas * rows / classes, 1.0)
        else:
            # A replica may have no row of the last batch.
            votes = ops.sum(votes) / ops.maximum(rows, 1.0)
        self.progress.assign_add(self.fade.rate * votes)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        fade = keras.saving.serialize_keras_object(self.fade)
        return {**super().get_config(), "fade": fade}


def as_fade(fade: Any) -> Any:
    """A fade from the argument of a loss or from a config."""
    if isinstance(fade, dict):
        fade = keras.saving.deserialize_keras_object(fade)
    if fade == "margin":
        return MarginFade()
    if not isinstance(fade, MarginFade | Schedule):
        raise invalid(
            "fade",
            fade,
            '"margin", a keras_noisy.calibration.MarginFade, or a schedule of '
            "keras.optimizers.schedules from 1 to 0",
        )
    return fade
