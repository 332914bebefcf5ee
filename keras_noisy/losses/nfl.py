"""Normalised focal loss."""

import keras

from keras_noisy.losses.focal import FocalWeights
from keras_noisy.losses.normalized_loss import NormalizedLoss
from keras_noisy.losses.robust_loss import Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class NFL(FocalWeights, NormalizedLoss):
    """Normalised focal loss (NFL), an active loss that resists wrong labels.

    The focal loss divided by its sum over all labels; used like `NCE`. The
    weights `(1 - p) ** gamma` carry no gradient, neither above nor below the
    fraction bar, as in the authors' program; `stop_weight_gradient=False`
    gives the true gradient.

    Formula:

    ```
    l(p) = -(1 - p) ** gamma * log(p)
    loss = l(p_y) / sum(l(p_k) for all classes k)
    ```

    where `p` is the prediction and `y` the label.

    Args:
        gamma: Power of the weight, a number of at least 0; 0 is `NCE`. Defaults
            to `0.5`.
        stop_weight_gradient: Whether the weights count as constants in the
            gradient. Defaults to `True`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.losses import NFL
    >>> float(NFL(gamma=0.0)([0], [[0.5, 0.25, 0.25]]))  # NCE
    0.2...

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    def class_losses(self, log_p: Tensor) -> Tensor:
        """Loss of every class, had it been the label, up to a factor."""
        return self.focal(log_p)
