"""Weighted sum of an active and a passive loss."""

from __future__ import annotations

from typing import Any, Unpack

import keras
from keras import ops

from keras_noisy._arguments import invalid, real, real_or_auto
from keras_noisy.losses._given import Given
from keras_noisy.losses.distribution_loss import DistributionLoss
from keras_noisy.losses.robust_loss import LossArguments, RobustLoss, Tensor

#: What belongs to the sum, with the value that its parts must leave.
OF_THE_SUM = {
    "logit_bias": None,
    "logit_clip": None,
    "logit_normalization": None,
    "ignore_class": None,
    "fade": None,
}


@keras.saving.register_keras_serializable("keras_noisy")
class ActivePassive(DistributionLoss):
    """Sum of an active loss, which learns, and a passive one, which resists.

    An active loss only raises the probability of the label, a passive one also
    lowers the others. Robust active losses such as `NCE` underfit alone and
    together with a passive one do not. The log-softmax is computed once for
    both. The pairs of the papers with their weights are had by name, as in
    `keras_noisy.losses.get("NCE+RCE", num_classes=100)`. In `NCE+MAE` and
    `NFL+MAE` the passive loss is `GCE(q=1)`, half of `MAE`, since their
    weights are meant for `1 - p_y`.

    Formula:

    ```
    loss = alpha * active + beta * passive
    ```

    Args:
        active: A loss of this package, such as `NCE()`.
        passive: A loss of this package, such as `RCE()`.
        alpha: Weight of the active loss, a number of at least 0, or `"auto"`,
            which sends back the error that 1 sends back at 10 classes.
            Defaults to `1.0`.
        beta: Weight of the passive loss, a number of at least 0. Defaults to
            `1.0`.
        **kwargs: `num_classes`, `from_logits`, `logit_bias`, `logit_clip`,
            `logit_normalization`, `ignore_class`, `fade`, `fade_key`,
            `reduction`, `name` and `dtype`, see
            `keras_noisy.losses.RobustLoss`. They are the sum's: `from_logits`,
            `reduction`, `name` and `dtype` of the two losses do not count,
            `num_classes` must agree, and a bias, clip, normalisation or
            `ignore_class` of their own is refused.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range, or if a part has a
            bias, clip, normalisation or `ignore_class` of its own or cannot
            share a log-softmax.

    Example:

    >>> from keras_noisy.losses import MAE, NCE, ActivePassive
    >>> loss = ActivePassive(NCE(), MAE(), alpha=10.0, beta=0.5)
    >>> float(loss([0], [[0.5, 0.25, 0.25]]))  # 10 * 0.2 + 0.5 * 1
    2.5

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
        - Staats, Thamm, Rosenow (the rule of `"auto"`), AAAI 2025,
          arXiv 2306.05497
    """

    references = {"alpha": 1.0}  # noqa: RUF012

    def __init__(
        self,
        active: RobustLoss,
        passive: RobustLoss,
        alpha: float | str = 1.0,
        beta: float = 1.0,
        **kwargs: Unpack[LossArguments],
    ):
        super().__init__(**kwargs)
        for part in (active, passive):
            # A transition matrix fixes it, for instance.
            self.num_classes = self.num_classes or getattr(
                part, "num_classes", None
            )
        self._given = {"active": active, "passive": passive}
        self.active = _part("active", active, self.num_classes)
        self.passive = _part("passive", passive, self.num_classes)
        self.needs_num_classes = any(
            part.needs_num_classes or part.automatic_arguments()
            for part in (self.active, self.passive)
        )
        self.set_hyperparameters(
            alpha=real_or_auto("alpha", alpha, 0, closed="low"),
            beta=real("beta", beta, 0, closed="low"),
        )

    @property
    def has_formula(self) -> bool:
        """Whether both are losses of the true-class probability alone."""
        return self.active.has_formula and self.passive.has_formula

    def _sum(self, active: Tensor, passive: Tensor) -> Tensor:
        alpha = self.alpha
        if not isinstance(alpha, float):  # A column, while it fades.
            alpha = ops.reshape(alpha, (-1,))
        return alpha * active + self.beta * passive

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        active, passive = self.active.formula, self.passive.formula
        return self._sum(active(log_p), passive(log_p))

    def target_formula(self, targets: Tensor, log_p: Tensor) -> Tensor:
        """Loss of soft targets, both of shape (N, num_classes)."""
        return self._sum(
            self.active.target_formula(targets, log_p),
            self.passive.target_formula(targets, log_p),
        )

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        return self._sum(
            self.active.distribution_formula(labels, log_p),
            self.passive.distribution_formula(labels, log_p),
        )

    def _values(self, labels: Given, logits: Tensor) -> Tensor:
        base = RobustLoss if self.has_formula else DistributionLoss
        return base._values(self, labels, logits)

    def get_config(self) -> dict[str, Any]:
        """Return every argument, the two losses serialised."""
        return {
            **{k: keras.losses.serialize(v) for k, v in self._given.items()},
            **super().get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ActivePassive:
        """Build the loss from what `get_config` returned."""
        config = dict(config)
        for part in ("active", "passive"):
            if isinstance(config[part], dict):
                config[part] = keras.losses.deserialize(config[part])
        return cls(**config)


def _part(name: str, loss: Any, num_classes: int | None) -> RobustLoss:
    if not isinstance(loss, RobustLoss):
        raise invalid(name, loss, "a loss of keras_noisy, such as `NCE()`")
    config = loss.get_config()
    for argument, free in OF_THE_SUM.items():
        if config[argument] != free:
            raise ValueError(
                f"Pass `{argument}` to ActivePassive, not to its `{name}` "
                f"loss. Received: {argument}={config[argument]!r} in "
                f"{type(loss).__name__}"
            )
    if loss.needs_logits or loss.needs_memory or loss.sample_axes:
        raise invalid(
            name, loss, "a loss of the log-softmax of one prediction per label"
        )
    if num_classes is not None and loss.num_classes != num_classes:
        if loss.num_classes is not None:
            raise ValueError(
                f"Expected the `{name}` loss to have num_classes={num_classes}"
                f" or None. Received: num_classes={loss.num_classes}"
            )
        loss = type(loss).from_config({**config, "num_classes": num_classes})
    return loss
