"""Any loss of the true-class probability, minus its mean over the classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses.active_passive import Part
from keras_noisy.losses.base._arguments import typed
from keras_noisy.losses.base._class_sums import Term
from keras_noisy.losses.base._labels import Labels
from keras_noisy.losses.base._math import number_of
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import RobustLoss, Tensor
from keras_noisy.losses.base.summed import SummedLoss
from keras_noisy.losses.base.true_class import powers_of


class TrueClassPart(Part):
    """A loss of the true-class probability alone."""

    def check(self, value: Any) -> RobustLoss:
        """The loss."""
        value = super().check(value)
        if not value.has_formula:
            raise invalid(
                self.name,
                value,
                "a loss of the true-class probability, such as `GCE()`",
            )
        return value


@robust_loss
class Symmetrized(SummedLoss):
    """A loss minus its mean over all classes, which makes it symmetric.

    Its sum over all labels is 0, whatever the prediction, so symmetric noise
    only changes the expected loss by a factor. Unlike `NormalizedLoss` it is
    linear in the loss: an unbounded loss, such as cross-entropy, becomes
    unbounded below. Bound the logits with `logit_clip`, or use `GCE`.
    `Symmetrized(CrossEntropy())` is `CORES(beta=1.0)`.

    Formula:

    ```
    loss = l(p_y) - mean(l(p_k) for all classes k)
    ```

    where `l` is the inner loss, `p` the prediction and `y` the label.

    Args:
        loss: A loss of the true-class probability, such as `GCE()`. The
            arguments that all losses share belong to `Symmetrized` instead.

    Raises:
        ValueError: If an argument is outside its range, or if `loss` has
            an argument that belongs to `Symmetrized`, or depends on the whole
            distribution.

    Example:

    >>> from keras_noisy.losses import GCE, Symmetrized
    >>> loss = Symmetrized(GCE(q=1.0))  # l = 1 - p
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))  # 0.5 - (0.5 + 0.75 + 0.75) / 3
    -0.1666...

    References:
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """

    loss: RobustLoss = typed(TrueClassPart())

    def numbers(self, num_classes: Any, **changes: Any) -> dict[str, Any]:
        """The numbers of this loss and of the inner one."""
        found = super().numbers(num_classes, **changes)
        return {**found, "part": self.loss.numbers(num_classes)}

    def class_values(self, log_p: Tensor, numbers: dict[str, Any]) -> Tensor:
        """The values to sum, from log-probabilities of any shape."""
        return self.loss.of_true_class(log_p, numbers["part"])

    def terms(
        self, labels: Labels, like: Tensor, numbers: dict[str, Any]
    ) -> list[Term]:
        """The term to sum, with its slope if the loss names its powers."""
        powers = powers_of(self.loss, numbers["part"])
        if powers is None:
            return super().terms(labels, like, numbers)

        def slope(log_p: Tensor, value: Tensor) -> Tensor:
            return sum(c * ops.exp(n * log_p) for n, c in powers.items())

        return [Term(lambda log_p: self.class_values(log_p, numbers), slope)]

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Values from the log-probability of the label and the sum."""
        mean = next(sums) / number_of(numbers["num_classes"], log_p.dtype)
        return self.class_values(log_p, numbers) - mean
