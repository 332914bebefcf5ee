"""The base of the losses that are divided by their sum over the labels."""

from keras import ops

from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import Tensor


class NormalizedLoss(DistributionLoss):
    """Base of the losses that are divided by their sum over all labels.

    Use a subclass: `NCE`, `NFL` or `NGCE`. Any loss of the true-class
    probability turns robust that way, as its sum over all labels becomes 1. It
    also turns slow to fit, and is therefore combined with a passive loss, see
    `ActivePassive`. The gradient flows through the sum too. As the loss is 1 /
    num_classes at the start whatever the labels, no logit bias gives many
    classes the error of few.

    Formula:

    ```
    loss = l(p_y) / sum(l(p_k) for all classes k)
    ```

    where `l` is the loss that is normalised, `p` the prediction and `y` the
    label.

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

    >>> import keras
    >>> from keras_noisy.losses import NormalizedLoss
    >>> class NormalizedUnhinged(NormalizedLoss):
    ...     def class_losses(self, log_p):
    ...         return 1 - keras.ops.exp(log_p)
    >>> float(NormalizedUnhinged()([0], [[0.5, 0.25, 0.25]]))  # 0.5 / 2
    0.25

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def class_losses(self, log_p: Tensor) -> Tensor:
        """Loss of every class, had it been the label, up to a factor."""
        raise TypeError(
            f"{type(self).__name__} has no `class_losses(self, log_p)`: a "
            "subclass of NormalizedLoss must define it"
        )

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        losses = self.class_losses(log_p)
        return labels.pick(losses) / ops.sum(losses, axis=-1)
