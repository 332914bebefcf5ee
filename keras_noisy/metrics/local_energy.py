"""The rise of the error around the weights of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_noisy._arguments import integer, invalid, real
from keras_noisy._containers import batches_of, slices
from keras_noisy._label_arrays import class_labels
from keras_noisy._plots import in_legend, matplotlib_figure


class LocalEnergy(NamedTuple):
    """Errors of a network around its weights, which `local_energy` returns.

    Args:
        sigmas: Strengths of the noise on the weights.
        error: Share of wrong predictions without noise.
        errors: Shares with noise, of shape `(len(sigmas), draws)`.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.metrics import LocalEnergy
    >>> errors = np.array([[0.25, 0.25], [0.5, 1.0]])
    >>> LocalEnergy(np.array([0.1, 0.2]), 0.25, errors).rise
    array([0. , 0.5])
    """

    sigmas: np.ndarray
    error: float
    errors: np.ndarray

    @property
    def rise(self) -> np.ndarray:
        """Mean rise of the error, of shape `(len(sigmas),)`."""
        return self.errors.mean(axis=1) - self.error


def local_energy(
    model: keras.Model,
    data: Any,
    sigmas: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    draws: int = 8,
    batch_size: int = 256,
    seed: int = 0,
) -> LocalEnergy:
    """Training error under noise on the weights: the flatness of a minimum.

    The flatter the minimum, the less the error rises. The noise on each
    trainable weight is proportional to the weight, so the measure does not
    depend on the scale of a layer. All strengths use the same noise. The
    weights are restored at the end.

    Formula:

    ```
    rise(sigma) = mean over z of E(w + sigma * z * w) - E(w)
    ```

    with standard normal `z` for each weight, and `E` the share of wrong
    predictions. That `z` multiplies the weights, including biases and
    normalization, is our reading of the paper.

    Args:
        model: A `keras.Model` with one output of class scores.
        data: Arrays `(x, y)`, or batches of them, such as a `pipeline` or an
            `ImageDataset`. Labels are integers, or one row for each sample
            whose largest entry is the label.
        sigmas: Strengths of the noise, at least 0. Defaults to six numbers
            from 0.05 to 0.5.
        draws: Number of perturbations for each strength. Defaults to `8`.
        batch_size: Number of samples in a batch if `data` holds arrays.
            Defaults to `256`.
        seed: Seed of the noise. Defaults to `0`.

    Returns:
        A `LocalEnergy` with `sigmas`, `error`, `errors` of shape
        `(len(sigmas), draws)` and `rise` of shape `(len(sigmas),)`.

    Raises:
        ValueError: If an argument is outside its range, if labels are neither
            integers of the model's classes nor such rows, if inputs and labels
            differ in number, if the model has a single output unit or no
            trainable weight, or if there are no data.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.metrics import local_energy
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.eye(2), np.zeros(2)])
    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> energy = local_energy(model, (x, x.argmax(1)), [0.01, 1.0])
    >>> energy.error, bool(energy.rise[0] < energy.rise[1])
    (0.0, True)

    References:
        - Pittorino et al., Entropic gradient descent algorithms and wide flat
          minima, ICLR 2021, arXiv 2006.07897
        - Jiang et al., Fantastic generalization measures and where to find
          them, ICLR 2020, arXiv 1912.02178
    """
    if np.ndim(sigmas) != 1 or not len(sigmas):
        raise invalid("sigmas", sigmas, "a list of numbers >= 0")
    strengths = np.array([real("sigmas", s, 0, closed="low") for s in sigmas])
    draws = integer("draws", draws, 1)
    batch_size = integer("batch_size", batch_size, 1)
    seed = integer("seed", seed, 0)
    if isinstance(data, Iterator):
        raise invalid("data", data, "data that can be read several times")
    error = _error(model, data, batch_size)
    weights = list(model.trainable_variables)
    if not weights:
        expected = "a model with trainable weights; set `trainable = True`"
        raise invalid("model", model.name, expected)
    before = [np.array(ops.convert_to_numpy(w)) for w in weights]
    errors = np.empty((len(strengths), draws))
    try:
        for draw in range(draws):
            for i, sigma in enumerate(strengths):
                rng = np.random.default_rng([seed, draw])
                for weight, value in zip(weights, before, strict=True):
                    z = rng.standard_normal(value.shape)
                    weight.assign((value * (1 + sigma * z)).astype(value.dtype))
                errors[i, draw] = _error(model, data, batch_size)
    finally:
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
    return LocalEnergy(strengths, error, errors)


def _error(model: keras.Model, data: Any, batch_size: int) -> float:
    """Share of wrong predictions."""
    wrong = count = 0
    for x, y in _batches(data, batch_size):
        if y is None:
            raise ValueError(
                "Invalid value for argument `data`. Expected a tuple `(x, y)`, "
                "or batches of these. Received: a batch without labels, in a "
                f"{type(data).__name__}"
            )
        scores = np.asarray(model.predict_on_batch(x))
        labels = _labels(np.asarray(ops.convert_to_numpy(y)), scores)
        wrong += np.sum(scores.argmax(-1) != labels)
        count += len(labels)
    if not count:
        raise invalid("data", data, "at least one sample")
    return float(wrong / count)


def _labels(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Labels of a batch as integers, each of them a class of the scores."""
    is_row = y.ndim > 1 and y.shape[-1] > 1
    labels = y.argmax(-1) if is_row else class_labels("data", y)
    fits = scores.ndim == 2 and len(scores) == len(labels)
    # With a single output unit there is no largest score.
    fits = fits and scores.shape[1] > 1
    if is_row:
        # A label with an index next to it is not a row of two classes.
        has_index = y.shape[1:] == (2,) and y.dtype.kind in "iu"
        has_index = has_index and bool(np.any(y > 1))
        fits = fits and scores.shape == y.shape and not has_index
    if not fits:
        raise ValueError(
            "Expected for each sample a row of scores, one for each of two "
            "classes or more, and an integer label or a row of as many "
            "entries. Leave out the index or clean label next to it. "
            f"Received: outputs of shape {scores.shape} and labels of shape "
            f"{y.shape}"
        )
    classes, highest = scores.shape[1], labels.max(initial=0)
    if highest >= classes:
        raise ValueError(
            "Invalid value for argument `data`. Expected labels below "
            f"{classes}, the number of outputs of the model. Received: "
            f"{highest}. Number the classes from 0"
        )
    return labels


def _batches(data: Any, batch_size: int) -> Iterable[tuple[Any, Any]]:
    if isinstance(data, tuple) and len(data) == 2:
        x, y = data
        count = max(len(y), *map(len, keras.tree.flatten(x)))
        for part in slices(count, batch_size):
            yield (
                keras.tree.map_structure(lambda a, part=part: a[part], x),
                y[part],
            )
        return
    if isinstance(data, keras.utils.PyDataset) and data.num_batches is None:
        raise invalid("data", type(data), "a data set that ends")
    yield from batches_of("data", data)


def plot_local_energy(energies: Mapping[str, LocalEnergy]) -> Any:
    """Plot the rise of the error with noise on the weights.

    Each network has a line, with bars from the lowest to the highest draw.
    Needs matplotlib: `pip install matplotlib`.

    Args:
        energies: Mapping from the name of each network to its `local_energy`.

    Returns:
        A `matplotlib.figure.Figure`; call its `savefig`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If there is nothing to plot.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.metrics import LocalEnergy, plot_local_energy
    >>> sigmas, errors = np.array([0.1, 0.2]), np.array([[0.1], [0.3]])
    >>> figure = plot_local_energy({"SGD": LocalEnergy(sigmas, 0.0, errors)})
    >>> len(figure.axes)
    1
    """
    if not energies:
        raise invalid("energies", energies, "at least one result")
    figure = matplotlib_figure("plot_local_energy")(
        figsize=(6, 4), layout="constrained"
    )
    axes = figure.subplots()
    for name, energy in energies.items():
        rises = 100 * (energy.errors - energy.error)
        mean = rises.mean(axis=1)
        ends = np.abs([rises.min(axis=1) - mean, rises.max(axis=1) - mean])
        axes.errorbar(
            energy.sigmas, mean, ends, label=in_legend(name), capsize=3
        )
    axes.set_xlabel("noise on the weights, by their size")
    axes.set_ylabel("rise of the training error (points)")
    axes.legend()
    return figure
