"""The transition matrix from predictions for samples with known labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._stochastic import labels_of, predictions


def transition_from_trusted(probabilities: Any, labels: Any) -> np.ndarray:
    """Estimate the transition matrix from predictions for trusted samples.

    Use it for `ForwardCorrection` and `ConfidenceCorrection` if you know the
    true labels of some samples of every class. The probabilities must come
    from a network that was trained on noisy labels with cross-entropy and has
    not seen the trusted samples: it predicts the noisy label they would get.
    Without trusted samples see `estimate_transition`.

    Formula:

    ```
    T_i = mean of p(x) over the trusted samples x of class i
    ```

    Args:
        probabilities: Predictions for the trusted samples, of shape
            `(N, num_classes)`.
        labels: Their true labels, integers of shape `(N,)` or `(N, 1)`, with
            every class at least once.

    Returns:
        Row-stochastic array of shape `(num_classes, num_classes)`, float64.

    Raises:
        ValueError: If rows are not probabilities, if the number of labels
            differs, or if a class has no label.

    Example:

    >>> from keras_noisy.noise import transition_from_trusted
    >>> p = [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]
    >>> transition_from_trusted(p, [0, 0, 1])
    array([[0.75, 0.25],
           [0.25, 0.75]])

    References:
        - Hendrycks et al., Using trusted data to train deep networks on labels
          corrupted by severe noise, NeurIPS 2018, arXiv 1802.05300
        - Liu, Xu, Zhang, Geng, Label distribution for learning with noisy
          labels, IJCAI 2020
    """
    rows = predictions(probabilities)
    true = labels_of(rows, "labels", labels)
    num_classes = rows.shape[1]
    counts = np.bincount(true, minlength=num_classes)
    if not counts.all():
        missing = np.flatnonzero(counts == 0).tolist()
        expected = (
            f"a trusted sample of each of the {num_classes} classes; there is "
            f"none of the classes {missing}"
        )
        raise invalid("labels", f"{len(true)} labels", expected)
    sums = np.zeros((num_classes, num_classes))
    np.add.at(sums, true, rows)
    return sums / sums.sum(axis=1, keepdims=True)
