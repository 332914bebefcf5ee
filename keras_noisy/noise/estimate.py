"""Transition matrices estimated from the predictions of a network."""

import math
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid, real
from keras_noisy._stochastic import labels_of, predictions
from keras_noisy._warn import warn

# With more classes, 3 % of the samples can be a whole class.
MOST_CLASSES = 16


def estimate_transition(
    probabilities: Any,
    labels: Any = None,
    method: str = "anchor",
    percentile: float | None = None,
) -> np.ndarray:
    """Estimate the transition matrix from predicted probabilities.

    Use it for `ForwardCorrection` and `BackwardCorrection` if the noise is
    unknown. The probabilities must come from a network that has not seen the
    labels of these samples (see `out_of_fold_probabilities`), or that has not
    begun to memorize.

    Formula:

    ```
    T_i = p(x_i), x_i the sample of largest p_i up to the percentile  # anchor
    T_ij = P(given = j | true = i) by confident learning            # cleanlab
    ```

    Args:
        probabilities: Predictions for the training samples, of shape
            `(N, num_classes)`.
        labels: Given labels, integers of shape `(N,)` or `(N, 1)`. `"anchor"`
            does not need them. Defaults to `None`.
        method: `"anchor"` takes row i from a sample that almost certainly
            belongs to class i. `"cleanlab"` counts confident disagreements
            and needs `pip install "cleanlab>=2.8"`. Defaults to `"anchor"`.
        percentile: For `"anchor"`: the sample of class i is the one at this
            percentile of `p_i`, by nearest rank, in (0, 100]. It must be high
            enough for every class to have samples above it. Defaults to
            `None`: 97 for up to 16 classes, since the largest values are
            often outliers, and 100, the largest, for more.

    Returns:
        Row-stochastic array of shape `(num_classes, num_classes)`, float64.

    Raises:
        ValueError: If rows of `probabilities` do not sum to 1, labels do not
            fit, or an argument is outside its range.
        ImportError: If cleanlab is needed and not installed.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.noise import estimate_transition
    >>> predicted = [[0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]]
    >>> estimate_transition(predicted, percentile=100)
    array([[0.8, 0.2],
           [0.1, 0.9]])

    References:
        - Patrini et al. (anchor points), Making deep neural networks robust
          to label noise, CVPR 2017, arXiv 1609.03683
        - Northcutt et al. (cleanlab), Confident learning: estimating
          uncertainty in dataset labels, JAIR 2021, arXiv 1911.00068
    """
    predicted = predictions(probabilities)
    num_classes = predicted.shape[1]
    if percentile is None:
        percentile = 97 if num_classes <= MOST_CLASSES else 100
    percentile = real("percentile", percentile, 0, 100, "high")
    if labels is not None:
        labels = labels_of(predicted, "labels", labels)
    if method == "anchor":
        # The last bit of the product would choose another rank.
        rank = math.ceil(round(percentile * len(predicted) / 100, 9)) - 1
        anchors = np.argsort(predicted, axis=0, kind="stable")[rank]
        matrix = predicted[anchors]
        strange = np.flatnonzero(matrix.argmax(axis=1) != range(num_classes))
        if len(strange):
            warn(
                f"The anchors of {len(strange)} of {num_classes} classes, "
                f"{strange[0]} the first, more likely belong to another class: "
                "their rows of the transition matrix are likely wrong. Train "
                "the network longer, raise `percentile` or use "
                'method="cleanlab"'
            )
    elif method == "cleanlab":
        matrix = _confident_learning(predicted, labels)
    else:
        raise invalid("method", method, '"anchor" or "cleanlab"')
    return matrix / matrix.sum(axis=1, keepdims=True)


def _confident_learning(
    predicted: np.ndarray, labels: np.ndarray | None
) -> np.ndarray:
    try:
        from cleanlab import count
    except ImportError as error:
        raise ImportError(
            'estimate_transition with method="cleanlab" needs cleanlab: '
            'pip install "cleanlab>=2.8"'
        ) from error
    if labels is None:
        raise invalid("labels", labels, 'the given labels for "cleanlab"')
    present = np.bincount(labels, minlength=predicted.shape[1]) > 0
    if not np.all(present):
        raise ValueError(
            "Invalid value for argument `labels`. Expected at least one label "
            "of every class. Received: none of class "
            f"{np.flatnonzero(~present)[0]}, the first of "
            f"{np.count_nonzero(~present)}"
        )
    estimate = count.estimate_py_and_noise_matrices_from_probabilities
    # Its columns are the true classes.
    return estimate(labels.astype("int64"), predicted)[1].T
