"""Wrong labels, found with predictions of models that have not seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._containers import as_array
from keras_noisy._given import check_length, labeled_elements
from keras_noisy._label_arrays import other_numbers
from keras_noisy._stochastic import distributions
from keras_noisy.quality._predictions import ROWS, Predictions
from keras_noisy.quality.findings import Findings


class PredictionQuality(Findings):
    """Finds wrong labels with predictions of models that have not seen them.

    It works with any model: `keras_noisy.noise.out_of_fold_probabilities`
    trains it on all folds except one and predicts that fold. A model cannot
    have memorized labels that it has not seen.

    Two scores are higher where a label is more likely wrong: `"confidence"`,
    `1 - p_y`, and `"margin"`, the largest probability of another class minus
    `p_y`.

    Formula:

    ```
    T_ij = share of the label j among samples surely predicted as i
    ```

    over the twentieth of the samples with the surest predictions, and at least
    25 per class. The rate of `estimate` is too low if labels are wrong more
    often among samples that are hard to predict, which is typical of human
    labels.

    Args:
        probabilities: Predictions of shape `(N, num_classes)`, whose rows sum
            to 1; or the outputs of a model for tokens, pixels, a single
            output or several labels.
        y: The given labels, as `LabelQuality` takes them.
        clean_labels: The true labels if known, with -1 for a sample outside
            the classes. Defaults to `None`.
        class_names: The name of each class, in the order of the labels, or
            a mapping from label to name; with `multi_label` the name of each
            output. Defaults to `None`, the names from `y` or else the numbers.
        images: A picture of each sample, for `plot` and `report`: arrays of
            shape (height, width) or (height, width, channels), or paths of
            files. Defaults to `None`, the files of `y`.
        ignore_class: A label that has no score and is never a suspect, such
            as the label of padding. Defaults to `None`.
        multi_label: Whether each column is a separate label, the probability
            of a 1, with labels 0 and 1 of the same shape `(N, labels)`.
            Defaults to `False`.

    Returns:
        A `Findings`.

    Raises:
        ValueError: If rows are not probabilities, or lengths differ.

    Example:

    >>> from keras_noisy.quality import PredictionQuality
    >>> p = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    >>> quality = PredictionQuality(p, [0, 1, 0])
    >>> quality.suspects(1)
    array([2])

    References:
        - Patrini et al. (the estimate), Making deep neural networks robust to
          label noise, CVPR 2017, arXiv 1609.03683
        - Northcutt et al., Confident learning: estimating uncertainty in
          dataset labels, JAIR 2021, arXiv 1911.00068
    """

    def __init__(
        self,
        probabilities: Any,
        y: Any,
        clean_labels: Any = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
        images: Any = None,
        ignore_class: int | None = None,
        multi_label: bool = False,
    ):
        given = labeled_elements(
            y, clean_labels, class_names, images, ignore_class, multi_label
        )
        elements = given.elements
        outputs = as_array("probabilities", probabilities)
        check_length("probabilities", len(outputs), len(given.labels))
        columns = elements.columns(outputs.shape)
        num_classes = max(columns or 0, 2)
        if not columns or elements.labels.max() >= num_classes:
            raise ValueError(
                "Invalid value for argument `probabilities`. Expected a column "
                f"for each class, more than {elements.labels.max()}, in the "
                f"shape {elements.expected()}. Received: probabilities.shape="
                f"{outputs.shape}{other_numbers(elements.labels, num_classes)}"
            )
        expected = f"probabilities of shape {elements.expected()}"
        rows = np.empty((len(elements.labels), num_classes), "float32")
        every, done = np.arange(len(outputs)), 0
        # In parts, as checks in float64 take several times the memory.
        for part, labels, _ in elements.rows(outputs, every, ROWS):
            if len(labels) == 0:
                continue  # all ignored
            if columns == 1:
                part = part.astype("float64")
                # A number outside [0, 1] gives a negative entry.
                part = np.hstack([1 - part, part])
            rows[done : done + len(part)] = distributions(
                "probabilities", part, expected, done
            )
            done += len(part)
        evidence = Predictions(rows, elements.labels)
        clean, names = given.clean_labels, given.class_names
        super().__init__(elements, evidence, clean, names, given.images)
        self.fit_to(columns)
