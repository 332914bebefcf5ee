"""Cross-entropy."""

from typing import Unpack

import keras

from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class CrossEntropy(RobustLoss):
    """Cross-entropy, with logit bias, clip and normalisation.

    The loss of `keras.losses.SparseCategoricalCrossentropy`, here so that
    bias, clip and normalisation apply to it. It fits every label, the wrong
    ones too: use it as the baseline, or with `logit_clip`, which bounds it.

    Formula:

    ```
    loss = -log(p_y)
    ```

    where `p_y` is the probability of the label.

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

    def __init__(self, **kwargs: Unpack[LossArguments]):
        super().__init__(**kwargs)

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return -log_p

    def error_powers(self) -> dict[float, float]:
        """The error is `-(1 - p)`."""
        return {0.0: -1.0}
