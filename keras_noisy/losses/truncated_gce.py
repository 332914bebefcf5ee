"""Truncated generalized cross-entropy."""

import math

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import at_least
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.gce import GCE


@robust_loss
class TruncatedGCE(GCE):
    """Truncated generalized cross-entropy, which drops implausible labels.

    Below a probability of `k` the loss is flat, so the network learns nothing
    from such a label. Use it once the network has learned something, for
    instance after some epochs of `GCE`. In a fresh network with more than
    `1 / k` classes, every sample is below `k`, and nothing is learned. The
    paper's pruning of the data set between epochs is not included.

    Formula:

    ```
    loss = min(GCE(p_y), GCE(k)),  GCE(p) = (1 - p ** q) / q
    ```

    where `p_y` is the probability of the label.

    Args:
        q: A number in (0, 1]. Defaults to `0.7`.
        k: Probability below which the loss is flat, a number in (0, 1).
            Defaults to `0.5`.

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

    # No "auto" q: below p = k the gradient is 0 for every q.
    q: float = number(0.7, 0, 1, closed="high")
    k: float = number(0.5, 0, 1)

    @staticmethod
    def formula(  # type: ignore[override] # Other arguments.
        log_p: Tensor, q: float, k: float
    ) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return GCE.formula(at_least(log_p, math.log(k)), q)
