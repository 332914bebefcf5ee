"""Mean reciprocal rank of the label among the highest scores."""

from typing import Any

import keras
from keras import ops

from keras_noisy.metrics._ranks import RankMetric


@keras.saving.register_keras_serializable("keras_noisy")
class MRRAt(RankMetric):
    """Mean reciprocal rank of the label among the `k` highest scores.

    Use it for recommendations together with `RecallAt`: it also measures how
    high the next clicked item is ranked. Papers report it in percent.

    Formula:

    ```
    mrr = mean(1 / rank if rank <= k else 0)
    ```

    with the rank of `RecallAt`, which also describes ties.

    Args:
        k: Number of scores, an integer of at least 1. Defaults to `20`.
        name: Name of the metric. Defaults to `None`, such as `"mrr_at_20"`.
        dtype: Dtype of the metric. Defaults to `None`, the Keras default.

    Call arguments:
        y_true: Integer labels of shape `(N,)` or `(N, 1)`, or `(N, 2)` with
            the sample index next to them.
        y_pred: Scores of shape `(N, num_classes)`, logits or probabilities.
        sample_weight: Weights of shape `(N,)`. Defaults to `None`.

    Returns:
        A number between 0 and 1; NaN if a label is not a class.

    Raises:
        ValueError: If `k` is not a positive integer, or if the shapes do not
            match.

    Example:

    >>> from keras_noisy.metrics import MRRAt
    >>> metric = MRRAt(2)
    >>> metric.update_state([2, 2], [[0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])
    >>> float(metric.result())
    0.75

    References:
        - Hidasi et al., Session-based recommendations with recurrent neural
          networks, ICLR 2016, arXiv 1511.06939
    """

    def __init__(self, k: int = 20, name: str | None = None, dtype: Any = None):
        super().__init__(ops.reciprocal, k, name, dtype, "mrr")
