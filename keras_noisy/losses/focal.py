"""Focal loss."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import boolean, real
from keras_noisy.losses._transforms import LOWEST, complement
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


class FocalWeights(RobustLoss):
    """Base of the focal loss and of those made from it."""

    def __init__(
        self,
        gamma: float = 0.5,
        stop_weight_gradient: bool = True,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(**kwargs)
        self.set_hyperparameters(
            gamma=real("gamma", gamma, 0, closed="low"),
            stop_weight_gradient=boolean(
                "stop_weight_gradient", stop_weight_gradient
            ),
        )

    def focal(self, log_p: Tensor) -> Tensor:
        """`-(1 - p) ** gamma * log(p)`, elementwise."""
        log_p = ops.maximum(log_p, LOWEST)
        if self.stop_weight_gradient:
            of_weight = ops.stop_gradient(log_p)
            rest = ops.maximum(-ops.expm1(of_weight), 0.0)
        else:
            rest = complement(log_p)
        return -(rest**self.gamma) * log_p


@keras.saving.register_keras_serializable("keras_noisy")
class Focal(FocalWeights):
    """Focal loss, cross-entropy with less weight on easy samples.

    Not robust by itself, as wrong labels are hard samples: it is the baseline
    of `NFL`, which is. The weight `(1 - p_y) ** gamma` carries no gradient, as
    in the programs of the noisy-label papers; `stop_weight_gradient=False`
    gives the focal loss of object detection.

    Formula:

    ```
    loss = -(1 - p_y) ** gamma * log(p_y)
    ```

    where `p_y` is the probability of the label.

    Args:
        gamma: Power of the weight, a number of at least 0; 0 is cross-entropy.
            Defaults to `0.5`.
        stop_weight_gradient: Whether the weight counts as a constant in the
            gradient. Defaults to `True`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import Focal
    >>> float(Focal(gamma=2.0)([0], [[0.5, 0.25, 0.25]]))  # log(2) / 4
    0.173...

    References:
        - Lin et al., Focal loss for dense object detection, ICCV 2017, arXiv
          1708.02002
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return self.focal(log_p)
