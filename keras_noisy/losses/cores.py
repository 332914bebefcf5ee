"""Confidence-regularized cross-entropy."""

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class CORES(DistributionLoss):
    """Cross-entropy with confidence regularization (CORES).

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
        beta: Weight of the regularization, a number of at least 0; 0 is
            cross-entropy. Defaults to `2.0`.

    Example:

    >>> from keras_noisy.losses import CORES
    >>> float(CORES(beta=0.5)([0], [[0.5, 0.25, 0.25]]))
    0.115...

    References:
        - Cheng et al., Learning with instance-dependent label noise: a sample
          sieve approach, ICLR 2021, arXiv 2010.02347
    """

    beta: float = number(2.0, 0, closed="low")

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, beta: float) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        return beta * ops.mean(log_p, axis=-1) - labels.pick(log_p)
