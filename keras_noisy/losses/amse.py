"""Asymmetric mean squared error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._math import in_place, number_of, plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss


@robust_loss
class AMSE(SummedLoss):
    """Asymmetric mean squared error (AMSE), with the target `a` instead of 1.

    The passive half of `JAL-CE`, whose active half is `NCE`. For large `a` it
    behaves like a multiple of `MAE` that also flattens the other classes.
    Published `a`: CIFAR-10 30, CIFAR-100 20, mini-WebVision 30.

    Formula:

    ```
    loss = sum((p_k - a * onehot(y)_k) ** 2 for all classes k) / num_classes
    ```

    where `p` is the prediction and `y` the label; soft targets replace
    `onehot(y)`.

    Args:
        a: Target of the probability of the label, a number in [1, 1e6]; 1 is
            the mean squared error. Defaults to `30.0`.

    Example:

    >>> from keras_noisy.losses import AMSE
    >>> float(AMSE(a=2.0)([0], [[0.5, 0.25, 0.25]]))  # (2.25 + 2 / 16) / 3
    0.791...

    References:
        - Wang et al., Joint asymmetric loss for learning with noisy labels,
          ICCV 2025, arXiv 2507.17692
    """

    a: float = number(30.0, 1, 1e6, closed="low high")

    @staticmethod
    def summed(log_p: Tensor) -> Tensor:
        """The values to sum over the classes."""
        return in_place("square", plain_ops().exp(log_p))

    @staticmethod
    def slope(log_p: Tensor, summed: Tensor) -> Tensor:
        """Derivative of `summed`."""
        return in_place("multiply", summed, 2.0)

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of the log-probability of the label and of the sum."""
        a = numbers["a"]
        total = next(sums) - 2 * a * ops.exp(log_p) + a**2
        return total / number_of(numbers["num_classes"], log_p.dtype)

    def of_distribution(
        self, labels: Labels, log_p: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """The same, as the squares of soft targets do not sum to 1."""
        found = super().of_distribution(labels, log_p, numbers)
        rest = numbers["a"] ** 2 * (labels.total(ops.square) - 1)
        return found + rest / number_of(numbers["num_classes"], log_p.dtype)
