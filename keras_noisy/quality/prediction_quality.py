"""Wrong labels, found by predictions of models that have not seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._given import check_length, labeled
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
            to 1.
        y: The given labels, as `FeatureQuality` takes them.
        clean_labels: The true labels if they are known, -1 for a sample of
            none of the classes. Defaults to `None`.
        class_names: The name of each class, in the order of the labels, or
            a mapping from label to name. Defaults to `None`, those of `y` or
            else the numbers.
        images: A picture of each sample, for the picture and the report:
            arrays of shape (height, width) or (height, width, channels), or
            paths of files. Defaults to `None`, the files of `y`.

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
    ):
        given = labeled(y, clean_labels, class_names, images)
        rows = as_array("probabilities", probabilities)
        check_length("probabilities", len(rows), len(given.labels))
        num_classes = rows.shape[1] if rows.ndim == 2 else 1
        if 1 < num_classes <= given.labels.max():
            raise ValueError(
                "Invalid value for argument `probabilities`. Expected a column "
                f"for each class, more than {given.labels.max()}. Received: "
                f"probabilities.shape={rows.shape}"
            )
        expected = "probabilities of shape (N, num_classes)"
        rows = distributions("probabilities", rows, expected)
        names = given.class_names or [str(i) for i in range(num_classes)]
        if len(names) != num_classes:
            raise invalid(
                "class_names",
                names,
                f"{num_classes} names, as there are that many columns",
            )
        clean = given.clean_labels
        if clean is not None and clean.max() >= num_classes:
            raise invalid("clean_labels", clean, f"labels below {num_classes}")
        evidence = Predictions(rows.astype("float32"), given.labels)
        super().__init__(given.labels, evidence, clean, names, given.images)
