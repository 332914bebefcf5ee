"""The learning rates of Gaussian clouded logits."""

from __future__ import annotations

import math

from keras_noisy._arguments import integer, invalid, real

#: Epochs of each stage on CIFAR.
EPOCHS = {1: 200, 2: 30}


def clouded_learning_rate(
    epoch: int,
    *,
    stage: int = 1,
    learning_rate: float = 0.1,
    epochs: int | None = None,
) -> float:
    """Learning rate of an epoch, as published for Gaussian clouded logits.

    Pass it to `keras.callbacks.LearningRateScheduler`. For stage 2 pass
    `functools.partial(clouded_learning_rate, stage=2)`; `retrain_classifier`
    does this by itself.

    Formula:

    ```
    e = epoch + 1
    learning_rate * min(e / 5, 1) * (0.1 if e > 0.8 * epochs)
                                  * (0.1 if e > 0.9 * epochs)   # stage 1
    0.01 * learning_rate * (1 + cos(pi * epoch / epochs))       # stage 2
    ```

    Args:
        epoch: The epoch, counted from 0.
        stage: 1 for the whole network, 2 for its classifier. Defaults to `1`.
        learning_rate: Highest learning rate of stage 1, a positive number.
            Defaults to `0.1`.
        epochs: Number of epochs of the stage. Defaults to `None`, which is
            200 in stage 1 and 30 in stage 2.

    Returns:
        A float.

    Raises:
        ValueError: If an argument is outside its range.

    Example:

    >>> from keras_noisy.training import clouded_learning_rate
    >>> [round(clouded_learning_rate(e), 4) for e in (0, 4, 160, 180)]
    [0.02, 0.1, 0.01, 0.001]
    >>> clouded_learning_rate(0, stage=2)
    0.002

    References:
        - Li, Cheung, Lu, Long-tailed visual recognition via Gaussian clouded
          logit adjustment, CVPR 2022
    """
    epoch = integer("epoch", epoch, 0)
    if stage not in EPOCHS:
        raise invalid("stage", stage, "1 or 2")
    learning_rate = real("learning_rate", learning_rate, 0)
    total = integer("epochs", EPOCHS[stage] if epochs is None else epochs, 1)
    if stage == 2:
        turn = math.cos(math.pi * min(epoch / total, 1.0))
        return 0.01 * learning_rate * (1 + turn)
    rate = learning_rate * min((epoch + 1) / 5, 1.0)
    # Compare whole numbers, as 0.8 and 0.9 are rounded.
    for tenths in (8, 9):
        rate *= 0.1 if 10 * (epoch + 1) > tenths * total else 1.0
    return rate
