"""Generalised cross-entropy."""

from typing import Unpack

import keras

from keras_noisy._arguments import real_or_auto
from keras_noisy.losses._transforms import expm1
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class GCE(RobustLoss):
    """Generalised cross-entropy (GCE), between cross-entropy and MAE.

    Small `q` learns fast like cross-entropy, large `q` resists wrong labels
    like MAE. The published 0.7 suits about 10 classes; with many more
    classes it stalls at initialisation, and `q="auto"` chooses the `q` that
    sends back the error that 0.7 sends back at 10 classes.

    Formula:

    ```
    loss = (1 - p_y ** q) / q
    ```

    where `p_y` is the probability of the label; `q = 1` is `MAE` divided by
    2, and `q -> 0` is cross-entropy.

    Args:
        q: A number in (0, 1], or `"auto"`. Defaults to `0.7`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import GCE
    >>> float(GCE(q=0.5)([1], [[0.5, 0.25, 0.25]]))
    1.0
    >>> round(GCE(q="auto", num_classes=100).q, 5)
    0.37875

    References:
        - Zhang, Sabuncu, Generalized cross entropy loss for training deep
          neural networks with noisy labels, NeurIPS 2018, arXiv 1805.07836
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025,
          arXiv 2306.05497
    """

    references = {"q": 0.7}  # noqa: RUF012

    def __init__(self, q: float | str = 0.7, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)
        q = real_or_auto("q", q, 0, 1, closed="high")
        self.set_hyperparameters(q=q)

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return expm1(self.q * log_p) / -self.q

    def error_powers(self) -> dict[float, float]:
        """The error is `-p ** q (1 - p)`."""
        return {self.q: -1.0}
