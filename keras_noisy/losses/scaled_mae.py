"""Mean absolute error with the margin scale of the number of classes."""

from keras_noisy.losses.base import shared
from keras_noisy.losses.base._arguments import typed
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.mae import MAE


@robust_loss
class ScaledMAE(MAE):
    """MAE that also learns with many classes, by a calibrated margin scale.

    For noisy labels at any number of classes, with nothing to tune. With the
    scale, a fresh network of `num_classes` classes receives the error that one
    of 10 classes receives from `MAE`. Up to 10 classes the scale is 1 and
    `ScaledMAE` is `MAE`, which starts slowly in a short training of a small
    network: use `SCE()` there. Unlike the bias of `MAEStar`, the scale keeps
    the turning point of the loss where the label has half of the probability,
    so that the network does not stop short of it.

    Formula:

    ```
    margin = z[y_true] - logsumexp(z[k] for k != y_true)
    loss = 2 * (1 - sigmoid(margin_scale * margin)) / margin_scale
    ```

    The scale is computed with the rule of `MAEStar`, see
    `keras_noisy.calibration.matched_margin_scale`. For soft targets `t`, the
    loss is the sum of `t[k]` times the loss of class `k`; at a scale of 1 it
    is the L1 distance, as for `MAE`.

    Args:
        num_classes: Number of classes, an integer of at least 2. Defaults to
            `None`: it is read from the shape of the predictions.
        margin_scale: A number in (0, 1] to replace the calibrated one, or
            `None` for no scale. Defaults to `"auto"`.

    Example:

    >>> from keras_noisy import ScaledMAE
    >>> ScaledMAE(num_classes=10).margin_scale
    1.0
    >>> round(ScaledMAE(num_classes=1000).margin_scale, 5)
    0.34607

    References:
        - Ou, Zhang, A curriculum perspective of robust loss functions
          (rescaled margin), Preprint 2023, arXiv 2305.02139
        - Staats, Thamm, Rosenow (the rule), Enhancing noise-robust losses for
          large-scale noisy data learning, AAAI 2025, arXiv 2306.05497
        - Ghosh, Kumar, Sastry, Robust loss functions under label noise for
          deep neural networks, AAAI 2017
    """

    num_classes: int | None = typed(shared.NumClasses(kw_only=False))
    margin_scale: float | str | None = typed(shared.MarginScale("auto"))
