"""Symmetric cross-entropy."""

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss
from keras_noisy.losses.rce import A


@robust_loss
class SCE(TrueClassLoss):
    """Symmetric cross-entropy (SCE): cross-entropy plus reverse cross-entropy.

    Cross-entropy learns fast and `RCE` resists wrong labels. Published
    `(alpha, beta)`: MNIST (0.01, 1), CIFAR-10 (0.1, 1), CIFAR-100 (6, 0.1),
    mini-WebVision (10, 1). A large `alpha` memorizes like cross-entropy.

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

    alpha: float | str = number(0.1, 0, closed="low", auto=True)
    beta: float = number(1.0, 0, closed="low")

    @staticmethod
    def formula(log_p: Tensor, alpha: float, beta: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return beta * A * (1 - ops.exp(log_p)) - alpha * log_p

    @staticmethod
    def error_powers(alpha: float, beta: float) -> dict[float, float]:
        """The error is `-(alpha + beta A p) (1 - p)`."""
        return {0.0: -alpha, 1.0: -beta * A}
