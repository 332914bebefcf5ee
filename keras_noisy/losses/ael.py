"""Asymmetric exponential loss."""

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class AEL(TrueClassLoss):
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

    Raises:
        ValueError: If an argument is outside its range, or if no value of an
            `"auto"` argument gives the required error, as with 23,000 classes.

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

    a: float | str = number(2.5, 0, auto=True)

    @staticmethod
    def formula(log_p: Tensor, a: float) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return ops.exp(ops.exp(log_p) / -a)
