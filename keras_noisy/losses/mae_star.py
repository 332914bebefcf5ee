"""Mean absolute error with the logit bias of the number of classes."""

from typing import Unpack

import keras

from keras_noisy.losses.mae import MAE
from keras_noisy.losses.robust_loss import SharedArguments


@keras.saving.register_keras_serializable("keras_noisy")
class MAEStar(MAE):
    """MAE that also learns with many classes, by a calibrated logit bias.

    For noisy labels at any number of classes, with nothing to tune. The bias
    is such that a fresh network of `num_classes` classes receives the error
    that one of 10 classes receives from `MAE`; up to 10 classes it is 0 and
    `MAEStar` is `MAE`, slow to start in a short training of a small network:
    take `GCE(q=0.7)` there. Late in training it memorizes more than `MAE`.

    Formula:

    ```
    z[y_true] += logit_bias
    loss = 2 * (1 - softmax(z)[y_true])
    ```

    The bias is computed by the paper's matching rule, not read off its table,
    see `keras_noisy.calibration.matched_logit_bias`.

    Args:
        num_classes: Number of classes, an integer of at least 2. Defaults to
            `None`: it is read from the shape of the predictions.
        logit_bias: A number to replace the calibrated one, or `None` for no
            bias. Defaults to `"auto"`.
        **kwargs: `from_logits`, `logit_clip`, `logit_normalization`,
            `ignore_class`, `fade`, `fade_key`, `reduction`, `name` and `dtype`,
            see `keras_noisy.losses.RobustLoss`.

    Returns:
        The reduced loss, see `keras_noisy.losses.RobustLoss`.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy import MAEStar
    >>> MAEStar(num_classes=10).logit_bias
    0.0
    >>> round(MAEStar(num_classes=1000).logit_bias, 6)
    4.842412

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
    """

    def __init__(
        self,
        num_classes: int | None = None,
        *,
        logit_bias: float | str | None = "auto",
        **kwargs: Unpack[SharedArguments],
    ):
        super().__init__(
            num_classes=num_classes, logit_bias=logit_bias, **kwargs
        )
