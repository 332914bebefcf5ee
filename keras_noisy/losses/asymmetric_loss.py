"""Asymmetric loss of several labels."""

import keras
from keras import ops

from keras_noisy.losses.base._arguments import flag, number
from keras_noisy.losses.base._math import TINY, at_least, at_most
from keras_noisy.losses.base.multi_label import MultiLabelLoss
from keras_noisy.losses.base.robust_loss import Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class AsymmetricLoss(MultiLabelLoss):
    """Asymmetric loss (ASL), with little weight on easy negatives.

    For several labels per sample, few of which apply: easy negatives count
    less, and not at all below the probability `clip`. A missing label looks
    like a hard negative. The weights carry no gradient, as in the authors'
    code; `stop_weight_gradient=False` gives the true gradient. The authors sum
    over the labels; this loss takes the mean.

    Formula:

    ```
    p' = max(p - clip, 0)
    loss = mean(-y (1 - p) ** gamma_pos * log(p)
                - (1 - y) p' ** gamma_neg * log(1 - p') for all labels)
    ```

    where `p` is the probability of the label 1 and `y` the label.

    Args:
        gamma_neg: Power of the weight of labels 0, a number of at least 0.
            Defaults to `4.0`.
        gamma_pos: Power of the weight of labels 1, a number of at least 0.
            Defaults to `1.0`.
        clip: Probability below which a label 0 has no loss, a number in
            [0, 1). Defaults to `0.05`.
        stop_weight_gradient: Whether the weights count as constants in the
            gradient. Defaults to `True`.
        **kwargs: `pos_weight`, `from_logits`, `ignore_class`, `reduction`,
            `name` and `dtype`, see `keras_noisy.losses.MultiLabelLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.MultiLabelLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import AsymmetricLoss
    >>> loss = AsymmetricLoss(reduction=None)
    >>> values = loss([[1, 0], [1, 0]], [[0.5, 0.05], [0.5, 0.55]])
    >>> [round(float(value), 3) for value in values]
    [0.173, 0.195]

    References:
        - Ridnik et al., Asymmetric loss for multi-label classification, ICCV
          2021, arXiv 2009.14119
    """

    gamma_neg: float = number(4.0, 0, closed="low")
    gamma_pos: float = number(1.0, 0, closed="low")
    clip: float = number(0.05, 0, 1, closed="low")
    stop_weight_gradient: bool = flag(True)

    @staticmethod
    def formula(
        labels: Tensor,
        logits: Tensor,
        gamma_neg: float,
        gamma_pos: float,
        clip: float,
        stop_weight_gradient: bool,
    ) -> Tensor:
        """Loss of each label, elementwise."""
        log_p, log_rest = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        shifted = ops.exp(log_p)
        if clip > 0:
            shifted = ops.relu(shifted - clip)
        if clip >= 0.01:
            log_rest = ops.log1p(-shifted)
        elif clip > 0:  # This is rounded away where p is near 1.
            log_rest = ops.where(
                shifted > 0.5,
                ops.log(ops.exp(log_rest) + clip),
                ops.log1p(-at_most(shifted, 0.5)),
            )
        weight = ops.exp(gamma_pos * ops.log_sigmoid(-logits))
        of_negative = ops.exp(gamma_neg * ops.log(at_least(shifted, TINY)))
        if stop_weight_gradient:
            weight = ops.stop_gradient(weight)
            of_negative = ops.stop_gradient(of_negative)
        positive = labels * weight * log_p
        return -positive - (1 - labels) * of_negative * log_rest
