"""The formula of all losses that are a multiple of `1 - p`."""

from keras_noisy.losses.base._math import plain_ops
from keras_noisy.losses.base.robust_loss import Tensor


def passive(log_p: Tensor, scale: float) -> Tensor:
    """`scale * (1 - p)`; the scale matters in sums of losses."""
    return scale - scale * plain_ops().exp(log_p)
