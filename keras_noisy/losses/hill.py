"""Hill loss of several labels."""

import keras
from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base.multi_label import MultiLabelLoss
from keras_noisy.losses.base.robust_loss import Tensor


def focal_margin(logits: Tensor, margin: float, gamma: float) -> Tensor:
    """Focal cross-entropy of the label 1, with a margin."""
    logits = logits - margin
    weight = ops.exp(gamma * ops.log_sigmoid(-logits))
    return -weight * ops.log_sigmoid(logits)


@keras.saving.register_keras_serializable("keras_noisy")
class Hill(MultiLabelLoss):
    """Hill loss, with little weight on negatives that the network doubts.

    For several labels per sample where labels are missing, so that some of the
    negatives are positives. As a function of the logit, the gradient of a label
    0 is a hill: it is small again where the network is sure that it is a 1.
    Labels 1 use a focal cross-entropy with a margin. The authors sum over the
    labels; this loss takes the mean.

    Formula:

    ```
    p = sigmoid(z),  p_m = sigmoid(z - margin)
    loss = mean(-y (1 - p_m) ** gamma * log(p_m)
                + (1 - y) (lambda_ - p) p ** 2 for all labels)
    ```

    where `z` is the logit of a label and `y` the label.

    Args:
        lambda_: A number of at least 1. The loss of a label 0 rises up to
            `p = 2 / 3 * lambda_`, which is 1 by default. Defaults to `1.5`.
        margin: Margin of labels 1, a number. Defaults to `1.0`.
        gamma: Power of the weight of labels 1, a number of at least 0.
            Defaults to `2.0`.
        **kwargs: `pos_weight`, `from_logits`, `ignore_class`, `reduction`,
            `name` and `dtype`, see `keras_noisy.losses.MultiLabelLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.MultiLabelLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import Hill
    >>> float(Hill()([[0, 0]], [[0.5, 1.0]]))  # (0.25 + 0.5) / 2
    0.375

    References:
        - Zhang et al., Simple and robust loss design for multi-label learning
          with missing labels, Preprint 2021, arXiv 2112.07368
    """

    lambda_: float = number(1.5, 1, closed="low")
    margin: float = number(1.0)
    gamma: float = number(2.0, 0, closed="low")

    @staticmethod
    def formula(
        labels: Tensor,
        logits: Tensor,
        lambda_: float,
        margin: float,
        gamma: float,
    ) -> Tensor:
        """Loss of each label, elementwise."""
        p = ops.sigmoid(logits)
        negative = (lambda_ - p) * ops.square(p)
        positive = focal_margin(logits, margin, gamma)
        return labels * positive + (1 - labels) * negative
