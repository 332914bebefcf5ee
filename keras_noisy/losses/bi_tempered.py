"""Bi-tempered logistic loss."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import invalid, real
from keras_noisy.losses._given import Given
from keras_noisy.losses._tempered import (
    HOTTEST,
    TemperedSoftmax,
    log_tempered,
)
from keras_noisy.losses._transforms import LOWEST, TINY, with_derivative_of
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class BiTempered(DistributionLoss):
    """Bi-tempered logistic loss, with a bounded loss and heavy tails.

    `t1 < 1` bounds the loss of a sample, `t2 > 1` lets the probability of a far
    outlier fade slowly, so that wrong labels near the boundary and far from it
    do little harm. Published `(t1, t2)`: CIFAR-100 (0.8, 1.2), MNIST (0.5, 4).
    Predict with `tempered_softmax(logits, t2)`; probabilities given to the loss
    are taken for a softmax and turned into logits.

    Formula:

    ```
    log_t(u) = (u ** (1 - t) - 1) / (1 - t)
    p = tempered_softmax(z, t2)
    loss = -log_t1(p_y) - (1 - sum(p_k ** (2 - t1) for all k)) / (2 - t1)
    ```

    where `z` are the logits, `p` is the prediction and `y` the label; for soft
    targets `t` it is `sum(t_k * (log_t1(t_k) - log_t1(p_k))
    - (t_k ** (2 - t1) - p_k ** (2 - t1)) / (2 - t1) for all k)`.

    Args:
        t1: Temperature of the logarithm, a number in [0, 1]. Defaults to `0.8`.
        t2: Temperature of the softmax, a number in (0, 5] of at least `t1`,
            since below it the error has no bound. Defaults to `1.2`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range, or `t2` is below `t1`.

    Example:

    >>> from keras_noisy.losses import BiTempered
    >>> loss = BiTempered(t1=0.5, t2=1.5, from_logits=True)
    >>> float(loss([[0.2, 0.3, 0.5]], [[-0.5, 0.1, 2.0]]))
    0.02301...

    References:
        - Amid et al., Robust bi-tempered logistic loss based on Bregman
          divergences, NeurIPS 2019, arXiv 1906.03361
    """

    def __init__(
        self,
        t1: float = 0.8,
        t2: float = 1.2,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(**kwargs)
        t1 = real("t1", t1, 0, 1, closed="low high")
        t2 = real("t2", t2, 0, HOTTEST, closed="high")
        if t2 < t1:
            raise invalid("t2", t2, f"a number of at least t1={t1:g}")
        self.set_hyperparameters(t1=t1, t2=t2)

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        softmax = TemperedSoftmax(log_p, self.t2)
        q, targets = softmax.power(1.0), labels.dense(log_p)
        powers = ops.sum(softmax.power(2 - self.t1), axis=-1) / (2 - self.t1)
        likelihood = softmax.log_tempered(labels, self.t1)
        value = labels.total(self._negative_entropy) - likelihood + powers

        # The closed form of the gradient.
        slope = (q - targets) * softmax.power(self.t2 - self.t1)
        escort = softmax.power(self.t2)
        share = ops.sum(slope, axis=-1) / ops.sum(escort, axis=-1)
        slope = slope - escort * share[:, None]
        tangent = ops.sum(ops.stop_gradient(slope) * log_p, axis=-1)
        return with_derivative_of(tangent, value)

    def _negative_entropy(self, t: Tensor) -> Tensor:
        log_t = ops.log(ops.maximum(t, TINY))
        power = t ** (2 - self.t1) / (2 - self.t1)
        return t * log_tempered(log_t, self.t1) - power

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """The logits: the tempered softmax does not mind a common offset."""
        return ops.maximum(logits, LOWEST)
