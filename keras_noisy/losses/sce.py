"""Symmetric cross-entropy."""

from typing import Unpack

import keras
from keras import ops

from keras_noisy._arguments import real, real_or_auto
from keras_noisy.losses.rce import A
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class SCE(RobustLoss):
    """Symmetric cross-entropy (SCE): cross-entropy plus reverse cross-entropy.

    The cross-entropy learns fast and `RCE` resists wrong labels. Published
    `(alpha, beta)`: MNIST (0.01, 1), CIFAR-10 (0.1, 1), CIFAR-100 (6, 0.1),
    mini-WebVision (10, 1). A large `alpha` memorises like cross-entropy.

    Formula:

    ```
    loss = -alpha * log(p_y) + beta * A * (1 - p_y),  A = -log(1e-4)
    ```

    where `p_y` is the probability of the label.

    Args:
        alpha: Weight of the cross-entropy, a number of at least 0, or `"auto"`,
            which sends back the error that 0.1 sends back at 10 classes.
            Defaults to `0.1`.
        beta: Weight of the reverse cross-entropy, a number of at least 0.
            Defaults to `1.0`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import SCE
    >>> float(SCE(alpha=0.1, beta=1.0)([1], [[0.5, 0.25, 0.25]]))
    7.046...
    >>> round(SCE(alpha="auto", num_classes=1000).alpha, 1)
    0.7

    References:
        - Wang et al., Symmetric cross entropy for robust learning with noisy
          labels, ICCV 2019, arXiv 1908.06112
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025, arXiv
          2306.05497
    """

    references = {"alpha": 0.1}  # noqa: RUF012

    def __init__(
        self,
        alpha: float | str = 0.1,
        beta: float = 1.0,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(**kwargs)
        self.set_hyperparameters(
            alpha=real_or_auto("alpha", alpha, 0, closed="low"),
            beta=real("beta", beta, 0, closed="low"),
        )

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return self.beta * A * (1 - ops.exp(log_p)) - self.alpha * log_p

    def error_powers(self) -> dict[float, float]:
        """The error is `-(alpha + beta A p) (1 - p)`."""
        return {0.0: -self.alpha, 1.0: -self.beta * A}
