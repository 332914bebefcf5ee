"""Wrong labels, found by predictions of models that have not seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._containers import as_array
from keras_noisy._given import check_length, labeled_elements
from keras_noisy._stochastic import distributions
from keras_noisy.quality._predictions import Predictions
from keras_noisy.quality.findings import Findings


class PredictionQuality(Findings):
    """Finds wrong labels by predictions of models that have not seen them.

    For any model: `keras_noisy.noise.out_of_fold_probabilities` trains it on
    all folds but one and predicts that one. What a model has not seen it
    cannot have memorized, so that such predictions tell most.

    Two scores are higher where a label is more likely wrong: `"confidence"`,
    `1 - p_y`, and `"margin"`, the largest probability of another class minus
    `p_y`.

    Formula:

    ```
    T_ij = share of the label j among samples surely predicted as i
    ```

    over the twentieth of the samples that are predicted most surely, 25 for
    each class at least. The rate of `estimate` is too low where labels are
    wrong more often among samples that are hard to predict, as those of people
    are.

    Args:
        probabilities: Predictions of shape `(N, num_classes)`, whose rows sum
            to 1; or those of tokens, pixels, a single output or several
            labels, as a model gives them.
        y: The given labels, as `LabelQuality` takes them.
        clean_labels: The true labels if they are known, -1 for a sample of
            none of the classes. Defaults to `None`.
        class_names: The name of each class, in the order of the labels, or
            a mapping from label to name; with `multi_label` that of each
            output. Defaults to `None`, those of `y` or else the numbers.
        images: A picture of each sample, for the picture and the report:
            arrays of shape (height, width) or (height, width, channels), or
            paths of files. Defaults to `None`, the files of `y`.
        ignore_class: A label that has no score and is never a suspect, such
            as that of padding. Defaults to `None`.
        multi_label: Whether each column is a label of its own, the probability
            of a 1, with labels 0 and 1 of the same shape `(N, labels)`.
            Defaults to `False`.

    Returns:
        A `Findings`.

    Raises:
        ValueError: If rows are no probabilities, or lengths differ.

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
                f"{outputs.shape}"
            )
        every = np.arange(len(outputs))
        ((rows, _, _),) = elements.rows(outputs, every, outputs.size)
        if columns == 1:
            rows = rows.astype("float64")
            # A number outside [0, 1] shows as a negative one.
            rows = np.hstack([1 - rows, rows])
        expected = f"probabilities of shape {elements.expected()}"
        rows = distributions("probabilities", rows, expected)
        evidence = Predictions(rows.astype("float32"), elements.labels)
        clean, names = given.clean_labels, given.class_names
        super().__init__(elements, evidence, clean, names, given.images)
        self.fit_to(columns)
