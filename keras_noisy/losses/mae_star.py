"""Mean absolute error with the logit bias of the number of classes."""

from keras_noisy.losses.base import shared
from keras_noisy.losses.base._arguments import typed
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.mae import MAE


@robust_loss
class MAEStar(MAE):
    """MAE that also learns with many classes, by a calibrated logit bias.

    For noisy labels at any number of classes, with nothing to tune. With the
    bias, a fresh network of `num_classes` classes receives the error that one
    of 10 classes receives from `MAE`. Up to 10 classes the bias is 0 and
    `MAEStar` is `MAE`, which starts slowly in a short training of a small
    network: use `SCE()` there. Late in training it memorizes more than `MAE`.

    Formula:

    ```
    z[y_true] += logit_bias
    loss = 2 * (1 - softmax(z)[y_true])
    ```

    The bias is computed with the paper's matching rule, not taken from its
    table, see `keras_noisy.calibration.matched_logit_bias`.

    Args:
        num_classes: Number of classes, an integer of at least 2. Defaults to
            `None`: it is read from the shape of the predictions.
        logit_bias: A number to replace the calibrated one, or `None` for no
            bias. Defaults to `"auto"`.

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

    num_classes: int | None = typed(shared.NumClasses(kw_only=False))
    logit_bias: float | str | None = typed(shared.LogitBias("auto"))
