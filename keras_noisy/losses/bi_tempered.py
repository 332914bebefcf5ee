"""Bi-tempered logistic loss."""

from typing import Any

from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy.losses._tempered import (
    HOTTEST,
    TemperedSoftmax,
    log_tempered,
)
from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._closed_form import closed_form
from keras_noisy.losses.base._labels import DenseLabels, Labels, SparseLabels
from keras_noisy.losses.base._math import (
    TINY,
    at_least,
    in_place,
    plain_ops,
    put,
)
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class BiTempered(DistributionLoss):
    """Bi-tempered logistic loss, with a bounded loss and heavy tails.

    `t1 < 1` bounds the loss of a sample, and `t2 > 1` lets the probability of a
    far outlier fall slowly, so that wrong labels near the boundary and far from
    it do little harm. Published `(t1, t2)`: CIFAR-100 (0.8, 1.2), MNIST
    (0.5, 4). Predict with `tempered_softmax(logits, t2)`. If the loss receives
    probabilities, it treats them as a softmax and turns them into logits.

    Formula:

    ```
    log_t(u) = (u ** (1 - t) - 1) / (1 - t)
    p = tempered_softmax(z, t2)
    loss = -log_t1(p_y) - (1 - sum(p_k ** (2 - t1) for all k)) / (2 - t1)
    ```

    where `z` are the logits, `p` is the prediction and `y` the label; for soft
    targets `t`, it is `sum(t_k * (log_t1(t_k) - log_t1(p_k))
    - (t_k ** (2 - t1) - p_k ** (2 - t1)) / (2 - t1) for all k)`.

    Args:
        t1: Temperature of the logarithm, a number in [0, 1]. Defaults to `0.8`.
        t2: Temperature of the softmax, a number in (0, 5] of at least `t1`,
            since below it the error has no bound. Defaults to `1.2`.

    Raises:
        ValueError: If an argument is outside its range, or `t2` is below `t1`.

    Example:

    >>> from keras_noisy.losses import BiTempered
    >>> loss = BiTempered(t1=0.5, t2=1.5, from_logits=True)
    >>> float(loss([[0.2, 0.3, 0.5]], [[-0.5, 0.1, 2.0]]))
    0.02301...

    References:
        - Amid et al., Robust bi-tempered logistic loss based on Bregman
          divergences, NeurIPS 2019, arXiv 1906.03361
    """

    t1: float = number(0.8, 0, 1, closed="low high")
    t2: float = number(1.2, 0, HOTTEST, closed="high")

    @staticmethod
    def check_numbers(t1: float, t2: float, **others: Any) -> None:
        """Raise where the error has no bound."""
        if t2 < t1:
            raise invalid("t2", t2, f"a number of at least t1={t1:g}")

    @staticmethod
    def log_probabilities(logits: Tensor) -> Tensor:
        """The logits: a common offset does not change a tempered softmax."""
        return logits

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, t1: float, t2: float) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        of = plain_ops()
        is_sparse = isinstance(labels, SparseLabels)
        kind = SparseLabels if is_sparse else DenseLabels

        def forward(z: Tensor, given: Tensor) -> tuple:
            softmax, labels = TemperedSoftmax(z, t2), kind(given, None)
            p, w = softmax.power(1.0), softmax.power(1 - t1)
            escort = softmax.escort(p)
            powers, ahead, total = (
                of.sum(x, axis=-1) for x in (p * w, escort * w, escort)
            )
            # At the label, the slope is smaller by `p ** (t2 - t1)`.
            if is_sparse:
                log_p = softmax.log(labels.pick)
                likelihood = log_tempered(log_p, t1)
                if t2 < 1:
                    less = labels.pick(softmax.power(t2 - t1))
                else:
                    less = of.exp((t2 - t1) * log_p)
                behind = less
            else:
                log_p = softmax.log(lambda x: x)
                likelihood = labels.pick(log_tempered(log_p, t1))
                less = given * softmax.power(t2 - t1)
                behind = of.sum(less, axis=-1)
            share = (ahead - behind) / total
            return (powers / (2 - t1) - likelihood,), (escort, w, share, less)

        def backward(
            z: Tensor, kept: Any, upstream: Any, given: Tensor
        ) -> Tensor:
            (by,), (escort, w, share, less) = upstream, kept
            slope = in_place("subtract", w * by[:, None], (share * by)[:, None])
            slope = in_place("multiply", slope, escort)
            if is_sparse:
                return put(slope, given, -(less * by)[:, None])
            return slope - less * by[:, None]

        given = (
            labels.index if isinstance(labels, SparseLabels) else labels.targets
        )
        (value,) = closed_form(forward, backward, log_p, given)
        if is_sparse:
            return value - 1 / (2 - t1)
        return value + labels.total(lambda t: _negative_entropy(t, t1))


def _negative_entropy(t: Tensor, t1: float) -> Tensor:
    log_t = ops.log(t if isinstance(t, float) else at_least(t, TINY))
    return t * log_tempered(log_t, t1) - t ** (2 - t1) / (2 - t1)
