"""Statistics of batch normalization for the current weights."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer
from keras_noisy._containers import as_array, batches_of, in_parts
from keras_noisy._layers import all_layers
from keras_noisy.callbacks.evaluate_center import (
    optimizers_in,
    show_center,
    show_walk,
)
from keras_noisy.distribution import process_count
from keras_noisy.layers.loss_state import PassThrough

#: Attributes that make layers change their inputs at random, keep an average
#: or count training steps.
SWITCHES = {
    keras.layers.AlphaDropout: "rate",
    keras.layers.BatchNormalization: "momentum",
    keras.layers.Dropout: "rate",
    keras.layers.GaussianDropout: "rate",
    keras.layers.GaussianNoise: "stddev",
    PassThrough: "counts",
}
#: Rates of the cells of recurrent layers and of `Attention`.
RATES = ("dropout", "recurrent_dropout")


class RefreshBatchNorm(keras.callbacks.Callback):
    """Measures the statistics of `BatchNormalization` before each evaluation.

    The moving averages of training belong to earlier weights. They do not fit
    an average of weights, or an optimizer such as `EntropySGD` that moves far
    in one step. This callback measures them for the weights that are
    evaluated, in one pass over training data in training mode, with dropout
    off. The averages over the batches, which all count the same, replace the
    moving averages.

    It first shows the center of `EntropySGD`. After `fit` without validation,
    the statistics also belong to the final weights; with an optimizer that has
    `use_ema=True`, they belong to the average that `fit` leaves. Put it before
    the callbacks that evaluate or save. In `ReplicatedSGD` it measures those of
    each replica, not of the center: call `refresh(model.center())` instead.

    Formula:

    ```
    moving_mean = mean over batches of the mean of the batch
    moving_variance = mean over batches of the variance of the batch
    ```

    Args:
        data: Training data: an array of inputs, a tuple `(x, y)`, whose `y`
            is not used, or batches, such as a `pipeline`, an `ImageDataset`,
            a `tf.data.Dataset` or a `DataLoader`.
        batch_size: Number of samples in a batch if `data` holds arrays. Pass
            the batch size of training. Defaults to `128`.
        steps: Number of batches to take. Defaults to `None`, all of them.

    Returns:
        A `keras.callbacks.Callback`; `refresh(model)` does the same for a
        model at any time.

    Raises:
        ValueError: If `batch_size` or `steps` is not a positive integer, if
            the model has no trainable `BatchNormalization`, or if there is no
            batch; also in several processes, because each would have its own
            statistics.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.callbacks import RefreshBatchNorm
    >>> normalization = keras.layers.BatchNormalization()
    >>> model = keras.Sequential([keras.Input((1,)), normalization])
    >>> x = np.arange(256.0)[:, None]
    >>> RefreshBatchNorm(x, batch_size=256).refresh(model)
    >>> [round(float(v[0]), 1) for v in normalization.non_trainable_weights]
    [127.5, 5461.2]

    References:
        - Chaudhari et al., Entropy-SGD: biasing gradient descent into wide
          valleys, ICLR 2017, arXiv 1611.01838
        - Izmailov et al., Averaging weights leads to wider optima and better
          generalization, UAI 2018, arXiv 1803.05407
    """

    def __init__(
        self, data: Any, batch_size: int = 128, steps: int | None = None
    ):
        super().__init__()
        self.data = data
        self.batch_size = integer("batch_size", batch_size, 1)
        self.steps = None if steps is None else integer("steps", steps, 1)
        self._is_stale = False
        #: Compiled once for all epochs.
        self._in_training: _InTraining | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Continue the walk of `EntropySGD`."""
        show_walk(self.model)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Remember that the weights have changed."""
        self._is_stale = True

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Refresh, if this is the validation of `fit`."""
        if not self._is_stale:
            return
        show_center(self.model)
        self.refresh(self.model)
        self._is_stale = False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Refresh for the callbacks after this one."""
        self.on_test_begin()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Refresh if the optimizer has set the weights to their average."""
        found = optimizers_in(self.model.optimizer)
        if any(getattr(each, "use_ema", False) for each in found):
            self.refresh(self.model)

    def refresh(self, model: keras.Model) -> None:
        """Measure the statistics of a model and assign them to it.

        Call it on a model without training it; `fit` does so by itself.

        Args:
            model: A built model with a `BatchNormalization` that trains.

        Raises:
            ValueError: If it has none, or several processes train it.
        """
        if process_count() > 1:
            raise ValueError(
                "RefreshBatchNorm works in one process, because each of "
                "several would measure its own statistics. Leave it out, or "
                "refresh a saved model in one process"
            )
        layers = list(all_layers(model))
        kind = keras.layers.BatchNormalization
        normalizations = [
            x for x in layers if isinstance(x, kind) and x.trainable
        ]
        if not normalizations:
            raise ValueError(
                "Expected a model with a `BatchNormalization` that trains. "
                "Leave `RefreshBatchNorm` out"
            )
        statistics = [
            variable
            for layer in normalizations
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        if self._in_training is None or self._in_training.model is not model:
            self._in_training = _InTraining(model)
            self._in_training.compile()
        found = [_numbers(variable) for variable in statistics]
        try:
            with _changed(layers):
                found = self._measured(self._in_training, statistics)
        finally:
            # If the data fail, do not keep the statistics of the last batch.
            for variable, value in zip(statistics, found, strict=True):
                variable.assign(value)

    def _measured(
        self, in_training: keras.Model, statistics: list[keras.Variable]
    ) -> list[np.ndarray]:
        """The mean of each statistic over the batches."""
        sums: list[Any] = [0.0] * len(statistics)
        count = 0
        for x in itertools.islice(self._inputs(), self.steps):
            in_training.predict_on_batch(x)
            for i, variable in enumerate(statistics):
                sums[i] = sums[i] + _numbers(variable)
            count += 1
        if not count:
            raise ValueError(
                "Expected data with at least one batch. A generator gives its "
                "batches once: pass data that can be read in every epoch"
            )
        return [total / count for total in sums]

    def _inputs(self) -> Iterator[Any]:
        """The inputs of each batch."""
        is_tuple = isinstance(self.data, tuple)
        x = self.data[0] if is_tuple else self.data
        is_arrays = is_tuple or hasattr(x, "shape") or isinstance(x, dict)
        if not is_arrays or isinstance(self.data, keras.utils.PyDataset):
            return (x for x, _ in batches_of("data", self.data))
        x = keras.tree.map_structure(lambda part: as_array("data", part), x)
        count = len(keras.tree.flatten(x)[0])
        return in_parts(x, self.batch_size, count)


def _numbers(variable: keras.Variable) -> np.ndarray:
    """A copy, because PyTorch returns the memory of the variable."""
    return np.array(ops.convert_to_numpy(variable), "float64")


class _InTraining(keras.Model):
    """Calls a model in training mode when Keras predicts."""

    def __init__(self, model: keras.Model):
        super().__init__(name="in_training")
        self.model = model

    def call(self, x: Any) -> Any:
        """Outputs of the model in training mode."""
        return self.model(x, training=True)


@contextlib.contextmanager
def _changed(layers: list[keras.layers.Layer]) -> Iterator[None]:
    """Keep only the last batch in the statistics, and switch off dropout."""
    changes = [
        (layer, name)
        for layer in layers
        for kind, name in SWITCHES.items()
        if isinstance(layer, kind)
    ]
    changes += [
        (layer, name)
        for layer in layers
        for name in RATES
        if isinstance(vars(layer).get(name), float | int)
    ]
    before = [getattr(layer, name) for layer, name in changes]
    try:
        for layer, name in changes:
            setattr(layer, name, 0.0)
        yield
    finally:
        for (layer, name), value in zip(changes, before, strict=True):
            setattr(layer, name, value)
