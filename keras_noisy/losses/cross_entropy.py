"""Cross-entropy."""

from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.true_class import TrueClassLoss


@robust_loss
class CrossEntropy(TrueClassLoss):
    """Cross-entropy, with logit bias, clip and normalization.

    This is `keras.losses.SparseCategoricalCrossentropy` with the arguments of
    this package, such as bias, clip and normalization. It fits every label,
    even wrong ones: use it as the baseline, or with `logit_clip`, which bounds
    it.

    Formula:

    ```
    loss = -log(p_y)
    ```

    where `p_y` is the probability of the label.

    Example:

    >>> from keras_noisy.losses import CrossEntropy
    >>> float(CrossEntropy()([1], [[0.5, 0.25, 0.25]]))
    1.386...
    >>> clipped = CrossEntropy(from_logits=True, logit_clip=1.0)
    >>> float(clipped([1], [[1000.0, 0.0, 0.0]]))  # as if the logit were 1
    1.551...

    References:
        - Wei et al., Mitigating memorization of noisy labels by clipping the
          model's prediction (LogitClip), ICML 2023, arXiv 2212.04055
    """

    @staticmethod
    def formula(log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return -log_p

    @staticmethod
    def error_powers() -> dict[float, float]:
        """The error is `-(1 - p)`."""
        return {0.0: -1.0}
