"""Confidence-regularised cross-entropy."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class CORES(DistributionLoss):
    """Cross-entropy with confidence regularisation (CORES).

    Subtracts what random labels would cost, which makes the network confident
    and separates the losses of right labels from those of wrong ones. It is
    unbounded below, and large values of `beta` reward confidence in any class:
    the paper starts with `beta = 0` and raises it to 2 after some epochs.
    The paper's sieve, which drops samples by their loss, is left out.

    Formula:

    ```
    loss = -log(p_y) + beta * mean(log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        beta: Weight of the regularisation, a number of at least 0; 0 is
            cross-entropy. Defaults to `2.0`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import CORES
    >>> float(CORES(beta=0.5)([0], [[0.5, 0.25, 0.25]]))
    0.115...

    References:
        - Cheng et al., Learning with instance-dependent label noise: a sample
          sieve approach, ICLR 2021, arXiv 2010.02347
    """

    def __init__(self, beta: float = 2.0, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        self.set_hyperparameters(beta=real("beta", beta, 0, closed="low"))

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        return self.beta * ops.mean(log_p, axis=-1) - labels.pick(log_p)
