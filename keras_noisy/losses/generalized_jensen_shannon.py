"""Generalised Jensen-Shannon loss."""

from typing import Unpack

import keras

from keras_noisy._arguments import integer, real
from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.jensen_shannon import scaled_divergence
from keras_noisy.losses.robust_loss import LossArguments, Tensor


@keras.saving.register_keras_serializable("keras_noisy")
class GeneralizedJensenShannon(DistributionLoss):
    """Generalised Jensen-Shannon divergence of label and several views (GJS).

    Asks the predictions of differently augmented views of a sample to agree
    with each other and with the label; wrong labels are outvoted by the views.
    The views come stacked in the axis before the classes: `y_pred` has the
    shape `(N, views, num_classes)` and `y_true` the shape of the labels, as
    ever. `keras.layers.TimeDistributed` turns a model of one view into such a
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
    take the place of `onehot(y)`.

    Args:
        pi: Weight of the label, a number in (0, 1). Defaults to `0.5`.
        views: Number of views of each sample, an integer of at least 1.
            Defaults to `2`.
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

    def __init__(
        self, pi: float = 0.5, views: int = 2, **kwargs: Unpack[LossArguments]
    ):
        super().__init__(**kwargs)
        self.set_hyperparameters(
            pi=real("pi", pi, 0, 1), views=integer("views", views, 1)
        )
        self.sample_axes = (self.views,) if self.views > 1 else ()

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        views = [log_p]
        if self.sample_axes:
            views = [log_p[:, i] for i in range(self.views)]
        return scaled_divergence(self.pi, labels.dense(views[0]), views)
