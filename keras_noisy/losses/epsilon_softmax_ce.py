"""Cross-entropy after eps-softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import expm1, plain_ops
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.base.summed import WinnerLoss


@robust_loss
class EpsilonSoftmaxCE(WinnerLoss):
    """Cross-entropy of predictions pushed toward one-hot (eps-softmax, ECE).

    A sample whose label is the predicted class counts as almost solved, any
    other as in cross-entropy. Late in training mostly wrong labels are left, so
    the loss is combined with a robust one, as in `ECE+MAE`. Published `m`:
    CIFAR-10 1e5 (asymmetric noise 1e3), CIFAR-100 1e4 (asymmetric 1e2).

    Formula:

    ```
    q = p,  q[argmax(p)] += m        # the first of equal ones
    loss = -log(q_y / (m + 1))
    ```

    where `p` is the prediction and `y` the label.

    Args:
        m: Number that is added to the largest probability, at least 0; 0 is
            cross-entropy. Defaults to `1e5`.

    Example:

    >>> from keras_noisy.losses import EpsilonSoftmaxCE
    >>> loss = EpsilonSoftmaxCE(m=1.0)
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))  # -log(1.5 / 2)
    0.287...
    >>> float(loss([1], [[0.5, 0.25, 0.25]]))  # -log(0.25 / 2)
    2.079...

    References:
        - Wang et al., Epsilon-softmax: approximating one-hot vectors for
          mitigating label noise, NeurIPS 2024, arXiv 2508.02387
    """

    m: float = number(1e5, 0, closed="low")

    def of_sums(
        self, log_p: Tensor, sums: Iterator[Tensor], numbers: dict[str, Any]
    ) -> Tensor:
        """Loss of a label that is the predicted class, or is not."""
        largest, top = next(sums)
        m = numbers["m"]
        # With q = 1 - (1 - p) / (m + 1) a confident prediction is not rounded.
        of_top = plain_ops().log1p(expm1(largest) / (m + 1))
        return (1 - top) * (math.log1p(m) - log_p) - top * of_top
