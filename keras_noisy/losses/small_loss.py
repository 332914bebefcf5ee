"""Selection of the samples whose losses are small."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer, invalid
from keras_noisy.layers.connected import connected
from keras_noisy.layers.loss_history import LossHistory, history_of_loss
from keras_noisy.layers.loss_state import Reference
from keras_noisy.losses import _mixture, _schedule
from keras_noisy.losses.base import _math, _reduction
from keras_noisy.losses.base._autograph import unconverted
from keras_noisy.losses.base.robust_loss import RobustLoss
from keras_noisy.losses.base.wrapper import Wrapper

Tensor = Any
MIXTURE = "mixture"


@keras.saving.register_keras_serializable("keras_noisy")
class SmallLoss(Wrapper):
    """Wrapper of a loss, for the samples of a batch with small losses.

    Networks learn right labels first, so a large loss is a sign of a wrong
    label. The samples with the largest losses of a batch get the weight 0 and
    no gradient, and the loss is the mean over the others. With TensorFlow's
    strategies and PyTorch processes, each device selects from its own part of
    the batch. Start with all samples and keep fewer as the network learns, as
    in Co-teaching: `keep=keras.optimizers.schedules.
    PolynomialDecay(1.0, steps_of_ten_epochs, 1 - noise_rate)`.

    With `keep="mixture"`, no rate need be known: two Gaussians are fitted to
    the losses of the last samples, and the weight of a sample is the
    probability that its loss belongs to the lower one. With a schedule or a
    mixture, `connect` the outputs of the model, and give every output its own
    loss.

    Samples are selected whenever the loss is computed, also in validation:
    compare models by their accuracy. Samples of weight 0 and samples that
    `ignore_class` leaves out are neither kept nor counted.

    Formula:

    ```
    w_i = 1 for the max(1, floor(keep * n)) smallest of n losses, else 0
    w_i = P(lower Gaussian | loss_i)                    # keep="mixture"
    loss = sum(w_i * loss_i) / sum(w_i)
    ```

    With `reduction=None` the values are `w_i * loss_i`, and with `"sum"` it is
    their sum.

    Args:
        loss: A loss of `keras_noisy.losses`, whose reduction, name and dtype
            are used.
        keep: Share of each batch that is kept: a number in (0, 1], a schedule
            of `keras.optimizers.schedules` of such numbers over training
            batches, or `"mixture"`. Defaults to `0.9`.
        history_size: Number of losses to which the mixture is fitted, an
            integer of at least 2. Every sample is kept until there are this
            many. Defaults to `4096`.
        update_every: Number of training batches from one fit of the mixture to
            the next, an integer of at least 1. Defaults to `32`.
        history_key: Text that ties the loss to its layer in a saved model.
            Defaults to `None`, a new key.

    Call arguments:
        y_true: Labels as the inner loss takes them.
        y_pred: Predictions as the inner loss takes them.
        sample_weight: Weights as the inner loss takes them. Defaults to
            `None`.

    Returns:
        The reduced loss.

    Raises:
        ValueError: If an argument is outside its range, or if predictions did
            not pass through `connect` although they must.

    Example:

    >>> from keras_noisy.losses import CrossEntropy, SmallLoss
    >>> p = [[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]
    >>> float(SmallLoss(CrossEntropy(), keep=0.7)([0, 0, 0], p))
    1.039...

    References:
        - Han et al., Co-teaching: robust training of deep neural networks
          with extremely noisy labels, NeurIPS 2018, arXiv 1804.06872
        - Arazo et al., Unsupervised label noise modeling and loss correction
          (the mixture), ICML 2019, arXiv 1904.11238
        - Li, Socher, Hoi, DivideMix: learning with noisy labels as
          semi-supervised learning (Gaussians), ICLR 2020, arXiv 2002.07394
    """

    def __init__(
        self,
        loss: RobustLoss,
        keep: Any = 0.9,
        history_size: int = 4096,
        update_every: int = 32,
        history_key: str | None = None,
    ):
        if not isinstance(loss, RobustLoss):
            raise invalid(
                "loss", loss, "a loss of one label per sample, such as `GCE()`"
            )
        super().__init__(loss)
        self.keep = keep
        if keep != MIXTURE:
            other = f', or "{MIXTURE}"'
            self.keep = _schedule.scheduled("keep", keep, 1.0, other)
        self.history_size = integer("history_size", history_size, 2)
        self.update_every = integer("update_every", update_every, 1)
        self.history_key = history_key
        self._history: Reference[LossHistory] | None = None
        if not isinstance(self.keep, float):
            size = self.history_size if keep == MIXTURE else 1
            self._history = history_of_loss(
                size, _mixture.START, self.update_every, history_key
            )
            self.history_key = self._history.layer.key

    @property
    def history(self) -> LossHistory | None:
        """The layer that owns the state, or None if there is no state."""
        return None if self._history is None else self._history.layer

    def connect(self, outputs: Tensor) -> Tensor:
        """Pass the outputs of a model through the layers of both losses.

        Args:
            outputs: Output of a functional model that the loss is compiled on.

        Returns:
            A tensor of the same values.
        """
        layers = self.loss._new_layers()
        if self._history is not None:
            layers = [self._history.for_new_model(), *layers]
        return connected(outputs, layers) if layers else outputs

    @unconverted
    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        """Return the loss of the samples that are kept."""
        self.check_connected()
        values, batch = self.loss.measured(y_true, y_pred)
        counted = ops.reshape(batch.labels.kept(), ops.shape(values))
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            sample_weight = _reduction.per_value(sample_weight, values)
            counted = ops.logical_and(counted, ops.cast(sample_weight, "bool"))
        weight = self._weights(
            ops.reshape(ops.stop_gradient(values), (-1,)),
            ops.reshape(counted, (-1,)),
            batch.labels.given,
        )
        if self.reduction in ("sum_over_batch_size", "mean"):
            count = ops.sum(ops.cast(counted, weight.dtype))
            total = ops.maximum(ops.sum(weight), _math.TINY)
            weight = weight * (count / total)
        weight = ops.reshape(weight, ops.shape(values))
        if sample_weight is not None:
            weight = weight * ops.cast(sample_weight, weight.dtype)
        return self.loss.reduced(values, batch, weight)

    def check(self, y_true: Tensor, y_pred: Tensor) -> None:
        """Raise on a batch that must be a mistake, see `keras_noisy.check`."""
        self.check_connected()
        self.loss.check(y_true, y_pred)

    def check_connected(self) -> None:
        """Raise unless the model calls the layer of this loss."""
        if self._history is not None:
            self._history.called(type(self).__name__)

    def _weights(self, values: Tensor, counted: Tensor, given: Any) -> Tensor:
        """A weight for each of the values, all of shape (N,)."""
        values = ops.cast(values, "float32")
        if self._history is None:
            return _smallest(values, counted, self.keep)
        layer, training, first, _ = self._history.use("SmallLoss", given)
        fit = _fit if self.keep == MIXTURE else None
        if training and first:
            layer.observe(values, counted, fit)
        if fit is None:
            share = _schedule.at(self.keep, layer.step())
            return _smallest(values, counted, ops.clip(share, 0.0, 1.0))
        mixture = _mixture.unpacked(layer.numbers())
        return ops.where(counted, mixture.clean(values), 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "keep": keras.saving.serialize_keras_object(self.keep),
            "history_size": self.history_size,
            "update_every": self.update_every,
            "history_key": self.history_key,
        }


def _fit(losses: Tensor) -> Tensor:
    return _mixture.fitted(losses).packed()


def _smallest(values: Tensor, counted: Tensor, share: Any) -> Tensor:
    """1 for the smallest of the values that count, 0 for the others."""
    count = ops.sum(ops.cast(counted, "float32"))
    # Rounding must not turn 0.7 * 10 into 6.
    kept = ops.maximum(ops.floor(share * count + 1e-4), 1.0)
    # A NaN value is kept, so that the user sees it.
    order = ops.where(ops.isnan(values), -float("inf"), values)
    order = ops.where(counted, order, float("inf"))
    rank = ops.argsort(ops.argsort(order))
    small = ops.cast(rank, "float32") < kept
    return ops.cast(ops.logical_and(small, counted), "float32")
