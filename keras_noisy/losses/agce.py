"""Asymmetric generalized cross-entropy."""

import math
from typing import Any

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import complement, expm1, log, plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class AGCE(TrueClassLoss):
    """Asymmetric generalized cross-entropy (AGCE), a shifted GCE.

    For noise in which the right label stays the most frequent one in every
    class. Small `a` is close to `GCE`, large `a` to a multiple of `MAE`.
    Published `(a, q)`: CIFAR-10 and CIFAR-100 (0.6, 0.6), mini-WebVision
    (1e-5, 0.5), MNIST (4, 0.2). Where `p_y` is far below `a`, the error is
    `a ** (q - 1)` times the error of `1 - p_y`, so with many classes the loss
    needs a tiny `a` or a logit bias to start.

    Formula:

    ```
    loss = ((a + 1) ** q - (a + p_y) ** q) / q
    ```

    where `p_y` is the probability of the label.

    Args:
        a: Shift of the probability, a positive number, or `"auto"`. Defaults
            to `0.6`.
        q: Power, a positive number, or `"auto"`. Defaults to `0.6`. An
            `"auto"` value of either one sends back the error that 0.6 sends
            back at 10 classes; for some values of the other there is none.

    Raises:
        ValueError: If an argument is outside its range, or if no value of an
            `"auto"` argument gives the required error.

    Example:

    >>> from keras_noisy.losses import AGCE
    >>> float(AGCE(a=1.0, q=2.0)([1], [[0.5, 0.25, 0.25]]))  # (4 - 1.5625) / 2
    1.21875
    >>> round(AGCE(a=1e-5, q="auto", num_classes=1000).q, 3)
    0.224

    References:
        - Zhou et al., Asymmetric loss functions for learning with noisy labels,
          ICML 2021, arXiv 2106.03110
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025, arXiv
          2306.05497
    """

    a: float | str = number(0.6, 0, auto=True)
    q: float | str = number(0.6, 0, auto=True)

    @staticmethod
    def check_numbers(a: float | str, q: float | str, **others: Any) -> None:
        """Raise where a power would overflow."""
        if isinstance(a, str) or isinstance(q, str):
            return
        if q * math.log1p(a) > 60:
            raise invalid("q", q, "a power with (a + 1) ** q below 1e26")

    @staticmethod
    def formula(log_p: Tensor, a: float, q: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        # log((a + p) / (a + 1)): `low` is exact for small a and p but rounded
        # near 0, where `high` is exact.
        log_a = log(a)
        low = log_a + ops.softplus(log_p - log_a) - log(1 + a)
        of, rest = plain_ops(), complement(log_p) / (a + 1)
        high = of.log1p(-of.clip(rest, 0.0, 0.5))
        log_share = of.where(rest < 0.5, high, low)
        return -((a + 1) ** q) / q * expm1(q * log_share)
