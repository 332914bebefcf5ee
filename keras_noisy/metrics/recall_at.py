"""Share of samples whose label is among the highest scores."""

from typing import Any

import keras
from keras import ops

from keras_noisy.metrics._ranks import RankMetric


@keras.saving.register_keras_serializable("keras_noisy")
class RecallAt(RankMetric):
    """Share of samples whose label is among the `k` highest scores.

    Use it for recommendations, where the label is the next clicked item. Papers
    call it P@k, HR@k or Recall@k, and report it in percent. All classes are
    ranked, including items that are already in the session.

    Formula:

    ```
    recall = mean(rank <= k)
    rank = 1 + #(scores above that of the label)
             + #(equal scores of classes before the label)
    ```

    Equal scores are ranked by class, as in `top_k` of TensorFlow and JAX. A
    model whose scores are all equal is therefore right only for the first `k`
    classes. NaN scores rank above all others, and a label whose score is NaN
    ranks last.

    Args:
        k: Number of scores, an integer of at least 1. Defaults to `20`.
        name: Name of the metric. Defaults to `None`, such as
            `"recall_at_20"`.
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

    >>> from keras_noisy.metrics import RecallAt
    >>> metric = RecallAt(2)
    >>> metric.update_state([0, 2], [[0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])
    >>> float(metric.result())
    0.5

    References:
        - Hidasi et al., Session-based recommendations with recurrent neural
          networks, ICLR 2016, arXiv 1511.06939
    """

    def __init__(self, k: int = 20, name: str | None = None, dtype: Any = None):
        super().__init__(ops.ones_like, k, name, dtype, "recall")
