"""A calibration that fades class by class, as the network learns them."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_noisy._arguments import boolean, real


@keras.saving.register_keras_serializable("keras_noisy")
class MarginFade:
    """Fades a calibration class by class, as their margins rise.

    `fade="margin"` of a loss is `MarginFade()`. A class that the network does
    not know yet keeps the calibrated bias, without which it would hardly be
    learned; one that it knows loses it. It needs no number of steps. Made for
    the bias of `MAEStar`: `GCE(q="auto")` did worse with it, and `MAEStar`
    without wrong labels not always better, see `docs/fading.md`.

    Formula:

    ```
    level[y] += rate * (quantile - 1 + (margin > level[y]))   # each sample
    way = max(margin_end - fresh, 1)
    share[y] = 1 - clip((level[y] - fresh) / way, 0, 1)
    ```

    where the margin of a sample is `z_y - logsumexp(z_k for k != y)`, without
    bias, clip and normalization, so that `level` follows the `quantile` of the
    margins of a class. It starts at `fresh`, the mean of a fresh network, about
    `-log(num_classes) - 1 / 2`. Where a batch holds several samples of every
    class, `rate` is divided by their number. With `per_class=False` there is
    one level for all classes, which the mean over each batch moves.

    Args:
        quantile: Which margin of a class is followed, a number in (0, 1).
            With wrong labels the median can be that of one. Defaults to
            `0.75`.
        margin_end: Margin with which a class has no calibration any more, a
            number; at 0 the network gives the label as much as all other
            classes. Defaults to `0.0`.
        rate: How fast `level` follows, in units of the margin, a positive
            number. Defaults to `0.5`.
        per_class: Whether each class has a level of its own. Defaults to
            `True`.

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
        """Build it from what `get_config` returned."""
        return cls(**config)


def fresh_margin(num_classes: int) -> float:
    """Mean margin of a label in a fresh network, its logits of N(0, 1)."""
    others = num_classes - 1
    return -math.log(others) - 1 / 2 + math.expm1(1) / (2 * others)
