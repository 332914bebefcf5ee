"""Generalized Jensen-Shannon loss."""

from typing import Any

from keras_noisy.losses.base._arguments import number, whole_number
from keras_noisy.losses.base._labels import Labels, SparseLabels
from keras_noisy.losses.base._of_label import log_probability
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.robust_loss import Tensor
from keras_noisy.losses.jensen_shannon import (
    JensenShannon,
    scaled_divergence,
)


@robust_loss
class GeneralizedJensenShannon(DistributionLoss):
    """Generalized Jensen-Shannon divergence of label and several views (GJS).

    Asks the predictions of differently augmented views of a sample to agree
    with each other and with the label; wrong labels are outvoted by the views.
    The views are stacked in the axis before the classes: `y_pred` has the
    shape `(N, views, num_classes)`, and `y_true` has its usual shape.
    `keras.layers.TimeDistributed` turns a model of one view into such a
    model; predict, and measure accuracy, with the model of one view. With
    `views=1` predictions have the usual shape, and the loss is
    `JensenShannon`. Published `pi` with two views for symmetric noise of 0,
    0.2, 0.4, 0.6 and 0.8: CIFAR-10 0.5, 0.3, 0.9, 0.1 and 0.1; CIFAR-100 0.3,
    0.3, 0.5, 0.9 and 0.1; mini-WebVision 0.1.

    Formula:

    ```
    q = mean(p_v for all views v),  m = pi * onehot(y) + (1 - pi) * q
    loss = (pi * KL(onehot(y) || m)
            + (1 - pi) * mean(KL(p_v || m) for all views v)) / scale
    scale = -(1 - pi) * log(1 - pi)
    ```

    where `p_v` is the prediction of view `v` and `y` the label; soft targets
    replace `onehot(y)`.

    Args:
        pi: Weight of the label, a number in (0, 1). Defaults to `0.5`.
        views: Number of views of each sample, an integer of at least 1.
            Defaults to `2`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import GeneralizedJensenShannon
    >>> base = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    ... )
    >>> views = keras.Input((2, 4))
    >>> model = keras.Model(views, keras.layers.TimeDistributed(base)(views))
    >>> model.compile("sgd", GeneralizedJensenShannon(pi=0.5, views=2))
    >>> history = model.fit(np.zeros((8, 2, 4)), np.zeros(8), verbose=0)

    References:
        - Englesson, Azizpour, Generalized Jensen-Shannon divergence loss for
          learning with noisy labels, NeurIPS 2021, arXiv 2105.04522
    """

    pi: float = number(0.5, 0, 1)
    views: int = whole_number(2)

    @property
    def view_axes(self) -> tuple[int, ...]:
        """The axis of the views, if there are several."""
        return (self.views,) if self.views > 1 else ()

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample; for one view, as in `JensenShannon`."""
        if self.view_axes or not isinstance(labels, SparseLabels):
            return super().values(labels, logits, numbers)
        if numbers["logit_bias"] is not None:
            logits = labels.added(logits, numbers["logit_bias"])
        log_p = log_probability(labels.index, logits)
        return JensenShannon.formula(log_p, numbers["pi"])

    @staticmethod
    def formula(labels: Labels, log_p: Tensor, pi: float, views: int) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        log_views = [log_p]
        if views > 1:
            log_views = [log_p[:, i] for i in range(views)]
        return scaled_divergence(pi, labels.dense(log_views[0]), log_views)
