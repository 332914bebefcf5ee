"""Normalized reverse cross-entropy."""

from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.nmae import NMAE


@robust_loss
class NRCE(NMAE):
    """Normalized reverse cross-entropy (NRCE), the same function as NMAE.

    `RCE` divided by its sum over all labels, which gives the same as for `MAE`.
    Published code has the factor `1/4*(K-1)`, which divides by 4 and multiplies
    by `K - 1`; this loss follows the paper's formula.

    Formula:

    ```
    loss = (1 - p_y) / (num_classes - 1)
    ```

    where `p_y` is the probability of the label.

    Example:

    >>> from keras_noisy.losses import NRCE
    >>> float(NRCE()([1], [[0.5, 0.25, 0.25]]))
    0.375

    References:
        - Ma et al., Normalized loss functions for deep learning with noisy
          labels, ICML 2020, arXiv 2006.13554
    """
