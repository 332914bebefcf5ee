"""Normalized negative cross-entropy."""

from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.negative import LOG_FLOOR, NegativeLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class NNCE(NegativeLoss):
    """Normalized negative cross-entropy (NNCE), a passive loss.

    The passive half of `ANL-CE`, whose active half is `NCE`:
    `keras_noisy.losses.get("ANL-CE", num_classes=100)`. The probabilities have
    the paper's floor of 1e-7, below which a class sends back no error. The
    paper also replaces weight decay with an L1 penalty on the weights (MNIST
    1e-6, CIFAR-10 5e-5, CIFAR-100 5e-7, mini-WebVision 5e-6), in Keras a
    `kernel_regularizer`.

    Formula:

    ```
    A = -log(1e-7)
    loss = 1 - (A + log(p_y)) / sum(A + log(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Example:

    >>> from keras_noisy.losses import NNCE
    >>> float(NNCE()([0], [[0.5, 0.25, 0.25]]))
    0.656...

    References:
        - Ye et al., Active negative loss functions for learning with noisy
          labels, NeurIPS 2023
    """

    @staticmethod
    def headroom(log_p: Tensor) -> Tensor:
        """`A - l(p)` of every class, at least 0."""
        return log_p - LOG_FLOOR

    @staticmethod
    def slope(log_p: Tensor) -> float:
        """Derivative of `headroom`."""
        return 1.0
