"""Asymmetric exponential loss."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real_or_auto
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class AEL(RobustLoss):
    """Asymmetric exponential loss (AEL).

    Close to a multiple of `MAE` for large `a`; made for combinations with an
    active loss, such as `NCE+AEL`. Published `a`: 2.5, MNIST 3.5.

    Formula:

    ```
    loss = exp(-p_y / a)
    ```

    where `p_y` is the probability of the label.

    Args:
        a: Scale of the probability, a positive number, or `"auto"`, which sends
            back the error that 2.5 sends back at 10 classes. Defaults to `2.5`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import AEL
    >>> float(AEL(a=0.25)([1], [[0.5, 0.25, 0.25]]))  # 1 / e
    0.367...
    >>> round(AEL(a="auto", num_classes=100).a, 2)
    0.23

    References:
        - Zhou et al., Asymmetric loss functions for learning with noisy labels,
          ICML 2021, arXiv 2106.03110
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025, arXiv
          2306.05497
    """

    references = {"a": 2.5}  # noqa: RUF012

    def __init__(self, a: float | str = 2.5, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        self.set_hyperparameters(a=real_or_auto("a", a, 0))

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return ops.exp(ops.exp(log_p) / -self.a)
