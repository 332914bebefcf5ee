"""Normalized mean absolute error."""

from keras_noisy.losses.base._math import passive
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class NMAE(TrueClassLoss):
    """Normalized mean absolute error (NMAE), MAE on another scale.

    `MAE` divided by its sum over all labels. As `MAE` is symmetric, that sum is
    a constant, so this is `MAE` on another scale. It is made for sums of
    normalized losses.

    Formula:

    ```
    loss = (1 - p_y) / (num_classes - 1)
    ```

    where `p_y` is the probability of the label.

    Example:

    >>> from keras_noisy.losses import NMAE
    >>> float(NMAE()([1], [[0.5, 0.25, 0.25]]))
    0.375

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    @staticmethod
    def formula(log_p: Tensor, num_classes: int) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return passive(log_p, 1 / (num_classes - 1))

    @staticmethod
    def error_powers(num_classes: int) -> dict[float, float]:
        """The error is `-p (1 - p) / (num_classes - 1)`."""
        return {1.0: -1 / (num_classes - 1)}
