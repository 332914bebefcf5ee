"""Predictions for samples that the network has not seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import boolean, integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._elements import Elements, elements_of
from keras_noisy._files import path_of
from keras_noisy._label_arrays import other_numbers
from keras_noisy._new_models import built, train
from keras_noisy._random import Random
from keras_noisy._stochastic import of_model
from keras_noisy.distribution import divisible
from keras_noisy.noise._saved_folds import SavedFolds


def out_of_fold_probabilities(
    build_model: Callable[[], keras.Model],
    x: Any,
    y: Any,
    folds: int = 5,
    *,
    directory: str | Path | None = None,
    seed: int = 0,
    from_logits: bool = False,
    verbose: int = 1,
    ignore_class: int | None = None,
    multi_label: bool = False,
    groups: Any = None,
    **fit_arguments: Any,
) -> np.ndarray:
    """Predict every sample with a network that was not trained on it.

    No network can have memorized the labels of the samples that it predicts,
    so the predictions tell wrong labels from right ones. Pass them to
    `estimate_transition` or `keras_noisy.quality.PredictionQuality`. Every
    class is spread evenly over the folds if samples have one label each.

    Args:
        build_model: Function of no arguments that returns a new compiled
            model with `num_classes` outputs; for labels 0 and 1, also with a
            single output.
        x: Training inputs, an array of numbers of shape `(N, ...)`. If the
            model has several inputs, let it split them from one array.
        y: Given labels, integers of shape `(N,)` or `(N, 1)`; for tokens or
            pixels with further axes, or several labels of shape `(N, labels)`.
        folds: Number of networks, each trained on all folds except one; from
            2 to `N`. Defaults to `5`.
        directory: Folder for the predictions of finished folds. A second call
            with the same data, model and arguments continues after the last
            saved fold. It compares their contents, but not the initial weights
            of the model: use a new folder if these change. Defaults to `None`,
            which saves nothing.
        seed: Seed of the split, an integer of at least 0. Weights follow
            `keras.utils.set_random_seed`. Defaults to `0`.
        from_logits: Whether the model returns logits. Defaults to `False`.
        verbose: 1 for a progress bar over the folds, 0 for silence. Defaults
            to `1`.
        ignore_class: A label that is no class, such as the label of padding.
            The loss must ignore it too. Defaults to `None`.
        multi_label: Whether each column of `y` is a separate label, 0 or 1,
            and the output of the model its probability. Defaults to `False`.
        groups: What each sample belongs to, of shape `(N,)`, such as the
            product or the patient that several pictures show. A group is then
            whole in one fold, and the classes are not spread evenly: a network
            would know the label from another picture. Samples with NaN or
            `None` are one group too. Defaults to `None`, no groups.
        **fit_arguments: Further arguments of `model.fit`, such as `epochs` and
            `batch_size`.

    Returns:
        Array of shape `(N, num_classes)`, float32, in the order of `x`, also
        for a single output; for tokens, pixels and several labels, in the
        shape of the outputs.

    Raises:
        ValueError: If arguments do not fit, a new model already has weights
            that another fold has trained, predictions are not probabilities,
            the folder belongs to other data, another model or other arguments,
            or an argument, such as a generator or a `tf.data.Dataset`, cannot
            be compared.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.noise import out_of_fold_probabilities
    >>> def build_model():
    ...     layers = [keras.Input((4,)), keras.layers.Dense(3, "softmax")]
    ...     model = keras.Sequential(layers)
    ...     model.compile("sgd", "sparse_categorical_crossentropy")
    ...     return model
    >>> x = np.random.default_rng(0).random((30, 4))
    >>> out_of_fold_probabilities(
    ...     build_model, x, np.arange(30) % 3, folds=2, verbose=0
    ... ).shape
    (30, 3)

    References:
        - Northcutt et al., Confident learning: estimating uncertainty in
          dataset labels, JAIR 2021, arXiv 1911.00068
    """
    x = as_array("x", x)
    elements = elements_of(y, ignore_class, multi_label)
    labels = elements.given
    folds, seed = integer("folds", folds, 2), integer("seed", seed, 0)
    _check(x, labels, folds, fit_arguments)
    boolean("from_logits", from_logits)
    if groups is None:
        fold_of = _folds(elements, folds, seed)
    else:
        fold_of = _folds_of_groups(groups, len(x), folds, seed)
    saved, model = None, built(build_model)
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) == 1 and outputs[0].shape[-1] is not None:
        # Losses of Keras fail without a word about the labels, or train.
        _check_classes(outputs[0].shape[-1], elements)
    if directory is not None:
        saved = SavedFolds(path_of(directory))
        saved.claim(
            model,
            x=x,
            y=labels,
            folds=folds,
            seed=seed,
            from_logits=from_logits,
            **({} if groups is None else {"groups": fold_of}),
            **fit_arguments,
        )

    progress = keras.utils.Progbar(folds, verbose=verbose, unit_name="fold")
    found = []
    try:
        for fold in range(folds):
            held_out = fold_of == fold
            predicted = saved.load(fold) if saved else None
            if predicted is None:
                model = built(build_model) if model is None else model
                train(model, x[~held_out], labels[~held_out], **fit_arguments)
                batch_size = fit_arguments.get("batch_size")
                predicted = divisible.predict(model, x[held_out], batch_size)
                predicted = _probabilities(predicted, from_logits, elements)
                model = None
                if saved:
                    saved.save(fold, predicted)
            found.append(predicted)
            progress.update(fold + 1)
    finally:
        if saved:
            saved.close()
    result = np.empty((len(x), *found[0].shape[1:]), "float32")
    for fold, predicted in enumerate(found):
        result[fold_of == fold] = predicted
    return result


def _folds(elements: Elements, folds: int, seed: int) -> np.ndarray:
    """The fold of each sample; every class is spread evenly over them."""
    labels = elements.given
    order = Random(seed, 4).permutation(len(labels))
    if elements.is_plain:
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(len(labels), int)
    fold_of[order] = np.arange(len(labels)) % folds
    return fold_of


def _folds_of_groups(groups: Any, count: int, folds: int, seed: int) -> Any:
    """The fold of each sample, that of its group; the largest come first."""
    array = as_array("groups", groups)
    if array.dtype.kind == "O":  # None and text have no order
        array = array.astype(str)
    _, group, sizes = np.unique(array, return_inverse=True, return_counts=True)
    if array.shape != (count,) or len(sizes) < folds:
        raise ValueError(
            f"Invalid value for argument `groups`. Expected {count} entries, "
            f"one for each sample, of at least folds={folds} groups. "
            f"Received: groups.shape={array.shape} of {len(sizes)} groups"
        )
    order = Random(seed, 4).permutation(len(sizes))
    fold_of, filled = np.empty(len(sizes), int), np.zeros(folds, int)
    for i in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[i] = np.argmin(filled)
        filled[fold_of[i]] += sizes[i]
    return fold_of[group]


def _check(
    x: np.ndarray, labels: np.ndarray, folds: int, fit_arguments: dict[str, Any]
) -> None:
    """Raise on samples that cannot be split into folds."""
    if x.shape[:1] != labels.shape[:1] or x.dtype.kind in "OSUT":
        raise ValueError(
            "Invalid value for argument `x`. Expected one array of numbers, "
            f"with one sample for each of the {len(labels)} labels. Received: "
            f"x.shape={x.shape}, x.dtype={x.dtype}. Number texts and classes "
            "first, and join several inputs into one array that the model "
            "splits"
        )
    if "sample_weight" in fit_arguments:
        raise ValueError(
            "`sample_weight` cannot be split over the folds. Leave it out, or "
            "pass `class_weight`"
        )
    if folds > len(x):
        raise ValueError(
            f"Invalid value for argument `folds`. Expected at most the number "
            f"of samples, {len(x)}. Received: folds={folds}"
        )


def _probabilities(
    predicted: Any, from_logits: bool, elements: Elements
) -> np.ndarray:
    """The outputs of a model as probabilities, of a class or of all classes."""
    try:
        predicted = np.asarray(predicted, "float64")
    except (TypeError, ValueError) as error:
        expected = "a model with a single output"
        raise invalid("build_model", type(predicted), expected) from error
    columns = elements.columns(predicted.shape)
    if columns is None and not elements.is_plain:
        raise ValueError(
            "Invalid value for argument `build_model`. Expected a model with "
            f"outputs of shape {elements.expected()}. Received: "
            f"{predicted.shape} for {len(predicted)} of the samples"
        )
    is_single = columns == 1 and elements.labels.max() < 2
    if is_single:
        rows = predicted.reshape(-1, 1)
        if from_logits:
            rows = np.exp(-np.logaddexp(0, -rows))
        # A number outside [0, 1] gives a negative entry.
        rows = np.hstack([1 - rows, rows])
    else:
        rows = predicted
        if predicted.ndim > 2:
            rows = predicted.reshape(-1, predicted.shape[-1])
    rows = of_model(rows, from_logits and not is_single).astype("float32")
    _check_classes(rows.shape[1], elements)
    if elements.is_plain:
        return rows
    return (rows[:, 1] if is_single else rows).reshape(predicted.shape)


def _check_classes(outputs: int, elements: Elements) -> None:
    """Raise on a label that has no output of the model."""
    largest = elements.labels.max()
    if max(outputs, 2) <= largest:  # A single output is for two classes.
        raise ValueError(
            "Invalid value for argument `build_model`. Expected a model with "
            f"an output for each class, more than {largest}. Received: "
            f"{outputs} outputs{other_numbers(elements.labels, outputs)}"
        )
