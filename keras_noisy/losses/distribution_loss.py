"""The base of the losses of the whole predicted distribution."""

from keras import ops

from keras_noisy.losses._given import Given
from keras_noisy.losses._transforms import LOWEST
from keras_noisy.losses.robust_loss import RobustLoss, Tensor


class DistributionLoss(RobustLoss):
    """Base of the losses that need more than the true-class probability.

    Use a subclass. It defines `distribution_formula`, and receives labels,
    logit bias, clip, normalisation and saving from `RobustLoss`.

    Formula:

    ```
    z = transformed logits, biased at the label
    loss = distribution_formula(labels, log_softmax(z))
    ```

    Args:
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    `labels.pick(x)` is the entry of each row of `x` at the label, or its mean
    over soft targets:

    >>> import keras
    >>> from keras_noisy.losses import DistributionLoss
    >>> class Smoothed(DistributionLoss):
    ...     def distribution_formula(self, labels, log_p):
    ...         mean = keras.ops.mean(log_p, axis=-1)
    ...         return -0.9 * labels.pick(log_p) - 0.1 * mean
    >>> float(Smoothed()([1], [[0.5, 0.25, 0.25]]))
    1.363...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        raise TypeError(
            f"{type(self).__name__} has no `distribution_formula(self, labels, "
            "log_p)`: a subclass of DistributionLoss must define it"
        )

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """What the formula is given, from biased logits of shape (N, K)."""
        # A clip has a cheaper gradient than a maximum; nothing gets to 1.
        return ops.clip(ops.log_softmax(logits, axis=-1), LOWEST, 1.0)

    def _values(self, labels: Given, logits: Tensor) -> Tensor:
        if self._bias is not None:
            one_view = logits[:, 0] if self.sample_axes else logits
            shift = self._bias * labels.dense(one_view)
            logits = logits + (shift[:, None] if self.sample_axes else shift)
        log_p = self.log_probabilities(logits)
        return self.distribution_formula(labels, log_p)
