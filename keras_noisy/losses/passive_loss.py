"""The base of the losses that are a multiple of `1 - p`."""

from keras import ops

from keras_noisy.losses.robust_loss import RobustLoss, Tensor


class PassiveLoss(RobustLoss):
    """Base of `MAE`, `RCE` and their normalised forms.

    They are the same function on different scales, which matter in sums.

    Formula:

    ```
    loss = scale * (1 - p_y)
    ```
    """

    @property
    def scale(self) -> float:
        """Largest value of the loss."""
        raise TypeError(f"{type(self).__name__} must define `scale`")

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        return self.scale - self.scale * ops.exp(log_p)

    def error_powers(self) -> dict[float, float]:
        """The error is `-scale * p (1 - p)`."""
        return {1.0: -self.scale}
