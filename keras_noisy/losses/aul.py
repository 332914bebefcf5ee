"""Asymmetric unhinged loss."""

import math
from typing import Any

from keras_noisy._arguments import invalid
from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import complement, expm1, plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class AUL(TrueClassLoss):
    """Asymmetric unhinged loss (AUL), a power of the distance to a bound.

    Close to a multiple of `MAE` for large `a`; made for combinations with an
    active loss, such as `NCE+AUL`. Published `(a, q)`: (5.5, 3), MNIST (3,
    0.1).

    Formula:

    ```
    loss = ((a - p_y) ** q - (a - 1) ** q) / q
    ```

    where `p_y` is the probability of the label.

    Args:
        a: Bound, a number above 1, or `"auto"`, which sends back the error that
            5.5 sends back at 10 classes. Defaults to `5.5`.
        q: Power, a positive number. Defaults to `3.0`.

    Example:

    >>> from keras_noisy.losses import AUL
    >>> float(AUL(a=2.0, q=2.0)([1], [[0.5, 0.25, 0.25]]))
    1.03125

    References:
        - Zhou et al., Asymmetric loss functions for learning with noisy labels,
          ICML 2021, arXiv 2106.03110
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025, arXiv
          2306.05497
    """

    a: float | str = number(5.5, 1, auto=True)
    q: float = number(3.0, 0)

    @staticmethod
    def check_numbers(a: float | str, q: float, **others: Any) -> None:
        """Raise where a power would overflow."""
        if isinstance(a, str):
            return
        if q * math.log(max(a, a / (a - 1))) > 60:
            raise invalid("q", q, "a ** q and (a / (a - 1)) ** q below 1e26")

    @staticmethod
    def formula(log_p: Tensor, a: float, q: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        rest = a - 1
        ratio = plain_ops().log1p(complement(log_p) / rest)
        return rest**q / q * expm1(q * ratio)
