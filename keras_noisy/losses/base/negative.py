"""The base of the normalized negative losses."""

import math
from collections.abc import Iterator
from typing import Any

from keras_noisy.losses.base._math import at_least
from keras_noisy.losses.base._signature import any_numbers, documented
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss

#: Probabilities are clamped here, as in the paper.
FLOOR = 1e-7
LOG_FLOOR = math.log(FLOOR)


@documented
class NegativeLoss(SummedLoss):
    """Base of the normalized negative losses.

    Use a subclass: `NNCE` or `NNFL`. A loss `l` is subtracted from its largest
    value `A` and normalized, so that the network is trained to raise `l` for
    all other labels. This turns an active loss into a passive one.

    Formula:

    ```
    n(p) = A - l(p)
    loss = 1 - n(p_y) / sum(n(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Example:

    >>> from keras_noisy.losses import NNCE, NegativeLoss
    >>> isinstance(NNCE(), NegativeLoss)
    True

    References:
        - Ye et al., Active negative loss functions for learning with noisy
          labels, NeurIPS 2023
    """

    floor = LOG_FLOOR

    @staticmethod
    @any_numbers
    def headroom(log_p: Tensor) -> Tensor:
        """`A - l(p)` of every class, at least 0."""
        raise TypeError(
            "This loss has no `headroom(log_p)`: a subclass of NegativeLoss "
            "must define it"
        )

    def class_values(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The values to sum, from log-probabilities of any shape."""
        return self.evaluate("headroom", (log_p,), numbers)

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Values from the log-probability of the label and the sum."""
        log_p = at_least(log_p, LOG_FLOOR)
        return 1 - self.class_values(log_p, numbers) / next(sums)
