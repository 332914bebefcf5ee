"""Asymmetric unhinged loss."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import invalid, real, real_or_auto
from keras_noisy.losses._transforms import complement, expm1
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class AUL(RobustLoss):
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
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

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

    references = {"a": 5.5}  # noqa: RUF012

    def __init__(
        self,
        a: float | str = 5.5,
        q: float = 3.0,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(**kwargs)
        a, q = real_or_auto("a", a, 1), real("q", q, 0)
        if a != "auto" and q * math.log(max(a, a / (a - 1))) > 60:
            raise invalid("q", q, "a ** q and (a / (a - 1)) ** q below 1e26")
        self.set_hyperparameters(a=a, q=q)

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        rest = self.a - 1
        ratio = ops.log1p(complement(log_p) / rest)
        return rest**self.q / self.q * expm1(self.q * ratio)
