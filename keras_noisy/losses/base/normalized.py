"""The base of the losses that are divided by their sum over the labels."""

from collections.abc import Iterator
from typing import Any

from keras_noisy.losses.base._signature import any_numbers, documented
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import SummedLoss


@documented
class NormalizedLoss(SummedLoss):
    """Base of the losses that are divided by their sum over all labels.

    Use a subclass: `NCE`, `NFL` or `NGCE`. Any loss of the true-class
    probability becomes robust this way, as its sum over all labels is then 1.
    It also becomes slow to fit, and is therefore combined with a passive loss,
    see `ActivePassive`. The gradient flows through the sum too. At the start
    the loss is 1 / num_classes for any label, so no logit bias gives many
    classes the error of few. A subclass that also defines `slope(log_p)`, the
    derivative of its `class_losses`, is several times as fast; `slope(log_p,
    summed)` also receives their values.

    Formula:

    ```
    loss = l(p_y) / sum(l(p_k) for all classes k)
    ```

    where `l` is the loss that is normalized, `p` the prediction and `y` the
    label.

    Example:

    >>> import keras
    >>> from keras_noisy.losses import NormalizedLoss
    >>> class NormalizedUnhinged(NormalizedLoss):
    ...     @staticmethod
    ...     def class_losses(log_p):
    ...         return 1 - keras.ops.exp(log_p)
    >>> float(NormalizedUnhinged()([0], [[0.5, 0.25, 0.25]]))  # 0.5 / 2
    0.25

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    @staticmethod
    @any_numbers
    def class_losses(log_p: Tensor) -> Tensor:
        """Loss of every class as if it were the label, up to a factor."""
        raise TypeError(
            "This loss has no `class_losses(log_p)`: a subclass of "
            "NormalizedLoss must define it"
        )

    def class_values(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The values to sum, from log-probabilities of any shape."""
        return self.evaluate("class_losses", (log_p,), numbers)

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Values from the log-probability of the label and the sum."""
        return self.class_values(log_p, numbers) / next(sums)
