"""Generalized cross-entropy."""

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import expm1
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class GCE(TrueClassLoss):
    """Generalized cross-entropy (GCE), between cross-entropy and MAE.

    Small `q` learns fast like cross-entropy, large `q` resists wrong labels
    like MAE. The published 0.7 suits about 10 classes; with many more
    classes it stalls at initialization, and `q="auto"` chooses the `q` that
    sends back the error that 0.7 sends back at 10 classes.

    Formula:

    ```
    loss = (1 - p_y ** q) / q
    ```

    where `p_y` is the probability of the label; `q = 1` is `MAE` divided by
    2, and `q -> 0` is cross-entropy.

    Args:
        q: A number in (0, 1], or `"auto"`. Defaults to `0.7`.

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

    q: float | str = number(0.7, 0, 1, closed="high", auto=True)

    @staticmethod
    def formula(log_p: Tensor, q: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return expm1(q * log_p) / -q

    @staticmethod
    def error_powers(q: float) -> dict[float, float]:
        """The error is `-p ** q (1 - p)`."""
        return {q: -1.0}
