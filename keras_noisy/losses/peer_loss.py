"""Peer loss."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_noisy._arguments import real
from keras_noisy.losses._given import Given
from keras_noisy.losses._transition import distribution
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class PeerLoss(DistributionLoss):
    """Peer loss: cross-entropy minus that of a random pair of the batch.

    Fitting labels that say nothing about the input gains nothing, so that
    noise need not be known. The published loss draws a prediction `a` and a
    label `b` at random for each sample; the mean of this one over the batch is
    the mean over all draws, which has the same expectation, no randomness and
    less variance; a single value holds the share of its own prediction. With a
    given `prior` it is computed per sample, and does not depend on the batch,
    on how it is divided over devices, or on masks.

    It is unbounded below, and large values of `alpha` reward confidence in any
    class: lower the learning rate, or start with cross-entropy.

    Formula:

    ```
    prior_k = share of the label k in the batch
    loss = -log(p_y) + alpha * sum(prior_k * log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        alpha: Weight of the peer term, a number of at least 0; 0 is
            cross-entropy. Defaults to `1.0`.
        prior: Share of each class among the given labels, num_classes numbers
            that sum to 1. Defaults to `None`, the shares in the batch, on
            TensorFlow's strategies in the batch of each device.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import PeerLoss
    >>> loss = PeerLoss(alpha=0.5, prior=[0.5, 0.25, 0.25])
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))
    0.173...

    References:
        - Liu, Guo, Peer loss functions: learning from noisy labels without
          knowing noise rates, ICML 2020, arXiv 1910.03231
    """

    def __init__(
        self,
        alpha: float = 1.0,
        prior: Any = None,
        **kwargs: Unpack[LossArguments],
    ):
        if prior is not None:
            prior = distribution("prior", prior, kwargs)
        super().__init__(**kwargs)
        self.set_hyperparameters(
            alpha=real("alpha", alpha, 0, closed="low"), prior=prior
        )

    def at_start(self, num_classes: int) -> RobustLoss:
        """With even shares, where otherwise those of the batch are taken."""
        if self.prior is not None:
            return self
        even = [1 / num_classes] * num_classes
        changes = {"prior": even, "logit_bias": self.logit_bias}
        changes["num_classes"] = num_classes
        return self.from_config({**self.get_config(), **changes})

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        if self.prior is None:
            prior = labels.frequencies(log_p)
        else:
            prior = ops.convert_to_tensor(self.prior, log_p.dtype)
        peer = ops.matmul(log_p, prior)
        return self.alpha * peer - labels.pick(log_p)
