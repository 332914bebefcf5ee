"""Confidence-regularized cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import number_of
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss


@robust_loss
class CORES(SummedLoss):
    """Cross-entropy with confidence regularization (CORES).

    Subtracts the loss of random labels, which makes the network confident and
    separates the losses of right labels from those of wrong ones. It is
    unbounded below, and large values of `beta` reward confidence in any class:
    the paper starts with `beta = 0` and raises it to 2 after some epochs.
    The paper's sieve, which drops samples by their loss, is not included.

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
    def summed(log_p: Tensor) -> Tensor:
        """The values to sum over the classes."""
        return log_p

    @staticmethod
    def slope(log_p: Tensor) -> float:
        """Derivative of `summed`."""
        return 1.0

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of the log-probability of the label and of the sum."""
        mean = next(sums) / number_of(numbers["num_classes"], log_p.dtype)
        return numbers["beta"] * mean - log_p
