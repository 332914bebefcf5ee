"""Truncated generalised cross-entropy."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses.gce import GCE
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class TruncatedGCE(GCE):
    """Truncated generalised cross-entropy, which gives hopeless samples up.

    Below a probability of `k` the loss is flat: labels that the network finds
    that implausible teach it nothing. Use it once the network has learned
    something, for instance after some epochs of `GCE`; from a fresh start with
    more than `1 / k` classes every sample is below `k`, and nothing is learned.
    The paper's pruning of the data set between epochs is left out.

    Formula:

    ```
    loss = min(GCE(p_y), GCE(k)),  GCE(p) = (1 - p ** q) / q
    ```

    where `p_y` is the probability of the label.

    Args:
        q: A number in (0, 1]. Defaults to `0.7`.
        k: Probability below which the loss is flat, a number in (0, 1).
            Defaults to `0.5`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import TruncatedGCE
    >>> loss = TruncatedGCE(q=0.5, k=0.5)
    >>> float(loss([0], [[0.64, 0.36]]))
    0.4...
    >>> float(loss([1], [[0.64, 0.36]]))  # 0.585... at p = k
    0.585...

    References:
        - Zhang, Sabuncu, Generalized cross entropy loss for training deep
          neural networks with noisy labels, NeurIPS 2018, arXiv 1805.07836
    """

    # Whether it starts is for k to decide, not for q.
    references = {}  # noqa: RUF012

    def __init__(
        self,
        q: float = 0.7,
        k: float = 0.5,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(q, **kwargs)
        self.set_hyperparameters(k=real("k", k, 0, 1))

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return super().formula(ops.maximum(log_p, math.log(self.k)))
