"""A calibration that fades class by class, as the network learns them."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_noisy._arguments import boolean, real


@keras.saving.register_keras_serializable("keras_noisy")
class MarginFade:
    """Fades a calibration class by class, as the margins of classes rise.

    `fade="margin"` of a loss means `MarginFade()`. A class that the network
    does not know yet keeps the calibrated bias, without which it would hardly
    be learned; a class that it knows loses the bias. No number of steps is
    needed. It is made for the bias of `MAEStar` and the scale of `ScaledMAE`:
    `GCE(q="auto")` did worse with it, and `MAEStar` without wrong labels was
    not always better, see `docs/fading.md`.

    Formula:

    ```
    level[y] += rate * (quantile - 1 + (margin > level[y]))   # each sample
    way = max(margin_end - fresh, 1)
    share[y] = 1 - clip((level[y] - fresh) / way, 0, 1)
    ```

    where the margin of a sample is `z_y - logsumexp(z_k for k != y)`, without
    bias, clip and normalization. `level` follows the `quantile` of the margins
    of a class. It starts at `fresh`, the mean margin of a fresh network, about
    `-log(num_classes) - 1 / 2`. If a batch has several samples of every class,
    `rate` is divided by their number. With `per_class=False`, all classes share
    one level, which moves by the mean over each batch.

    Args:
        quantile: Quantile of the margins of a class that is followed, a number
            in (0, 1). The median can be the margin of a wrong label. Defaults
            to `0.75`.
        margin_end: Margin at which the calibration of a class ends, a number.
            At 0, the network gives the label as much probability as all other
            classes together. Defaults to `0.0`.
        rate: How fast `level` follows, in units of the margin, a positive
            number. Defaults to `0.5`.
        per_class: Whether each class has its own level. Defaults to `True`.

    Returns:
        An object for the argument `fade` of a loss.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy import MAEStar
    >>> from keras_noisy.calibration import MarginFade
    >>> loss = MAEStar(num_classes=1000, fade=MarginFade(quantile=0.9))
    >>> loss.fading.fade.quantile
    0.9

    References:
        - Ou, Zhang, A curriculum perspective of robust loss functions (the
          margin), arXiv 2305.02139
    """

    def __init__(
        self,
        quantile: float = 0.75,
        margin_end: float = 0.0,
        rate: float = 0.5,
        per_class: bool = True,
    ):
        self.quantile = real("quantile", quantile, 0, 1)
        self.margin_end = real("margin_end", margin_end)
        self.rate = real("rate", rate, 0)
        self.per_class = boolean("per_class", per_class)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MarginFade:
        """Build it from the result of `get_config`."""
        return cls(**config)


def fresh_margin(num_classes: int) -> float:
    """Mean margin of a label in a fresh network with logits from N(0, 1)."""
    others = num_classes - 1
    return -math.log(others) - 1 / 2 + math.expm1(1) / (2 * others)
