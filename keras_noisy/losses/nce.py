"""Normalized cross-entropy."""

from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.normalized import NormalizedLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class NCE(NormalizedLoss):
    """Normalized cross-entropy (NCE), an active loss that resists wrong labels.

    Cross-entropy divided by its sum over all labels. It underfits alone: add a
    passive loss such as `MAE`, `RCE` or `AGCE` by `ActivePassive`, or by name:
    `keras_noisy.losses.get("NCE+RCE", num_classes=100)`.

    Formula:

    ```
    loss = log(p_y) / sum(log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Example:

    >>> from keras_noisy.losses import NCE
    >>> float(NCE()([0], [[0.5, 0.25, 0.25]]))  # 1 / (1 + 2 + 2)
    0.2...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    @staticmethod
    def class_losses(log_p: Tensor) -> Tensor:
        """Loss of every class as if it were the label, up to a factor."""
        return log_p

    @staticmethod
    def slope(log_p: Tensor) -> float:
        """Derivative of `class_losses`."""
        return 1.0
