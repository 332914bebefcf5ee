"""Hard bootstrapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import WinnerLoss


@robust_loss
class HardBootstrapping(WinnerLoss):
    """Hard bootstrapping: the label mixed with the predicted class.

    Cross-entropy with a target that trusts the network's decision a little, so
    that a network that is right resists a wrong label. It only helps once the
    network has learned something: it starts like cross-entropy.

    Formula:

    ```
    t = beta * onehot(y) + (1 - beta) * onehot(argmax(p))
    loss = -sum(t_k * log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        beta: Weight of the label, a number in [0, 1]; 1 is cross-entropy.
            Defaults to `0.8`.

    Example:

    >>> from keras_noisy.losses import HardBootstrapping
    >>> float(HardBootstrapping()([0], [[0.5, 0.25, 0.25]]))
    0.693...

    References:
        - Reed et al., Training deep neural networks on noisy labels with
          bootstrapping, ICLR workshop 2015, arXiv 1412.6596
    """

    beta: float = number(0.8, 0, 1, closed="low high")

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of a label that is the predicted class, or is not."""
        largest, _ = next(sums)
        beta = numbers["beta"]
        return -beta * log_p - (1 - beta) * largest
