"""Early-learning regularization."""

from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base._smoothed import IndexedLabels
from keras_noisy.losses.base.memory import MemoryLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class ELR(MemoryLoss):
    """Early-learning regularization (ELR), which keeps early predictions.

    Networks learn right labels before they memorize wrong ones. ELR remembers
    a running mean of the predictions of each sample and keeps the network
    close to it. Fit to pairs of label and index, and `connect` the outputs;
    outside training the loss is cross-entropy. Every output needs its own loss.
    Keras' accuracy and `class_weight` mistake such a pair for a one-hot label:
    use `LabelAccuracy` and `sample_weight`. Published `(beta, lambda_)`:
    CIFAR-10 (0.7, 3), CIFAR-100 (0.9, 7).

    Formula:

    ```
    t_i = beta * t_i + (1 - beta) * p / sum(p)       # no gradient
    loss = -log(p_y) + lambda_ * log(1 - sum(p_k * t_ik for all classes k))
    ```

    where `p` is the prediction of sample `i`, clipped to `[1e-4, 1 - 1e-4]`
    except in `-log(p_y)`, and `y` its label.

    Args:
        num_samples: Number of training samples, an integer of at least 1.
        beta: Weight of the past in the running mean, a number in [0, 1).
            Defaults to `0.7`.
        lambda_: Strength of the regularization, a number of at least 0.
            Defaults to `3.0`.
        memory_key: Text that ties the loss to its memory in a saved model.
            Defaults to `None`, a new key.

    Raises:
        ValueError: If an argument is outside its range, if predictions did not
            pass through the memory, or if labels have no index in training.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import ELR, with_index
    >>> from keras_noisy.metrics import LabelAccuracy
    >>> x, labels = np.zeros((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    >>> elr = ELR(num_samples=6)
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, elr.connect(outputs))
    >>> model.compile("sgd", elr, metrics=[LabelAccuracy()])
    >>> history = model.fit(x, with_index(labels), verbose=0)
    >>> elr.memory.state("targets").numpy()[0]  # 0.3 times a third
    array([0.1..., 0.1..., 0.1...], dtype=float32)

    References:
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    beta: float = number(0.7, 0, 1, closed="low")
    lambda_: float = number(3.0, 0, closed="low")

    states = {"targets": "zeros"}  # noqa: RUF012

    def memory_formula(
        self, labels: IndexedLabels, log_p: Tensor, plain_log_p: Tensor
    ) -> Tensor:
        """One value per sample in training, which also writes the memory."""
        p = ops.clip(ops.exp(plain_log_p), 1e-4, 1 - 1e-4)
        now = ops.stop_gradient(p / ops.sum(p, axis=-1, keepdims=True))
        past = self.recall("targets", labels)
        targets = self.beta * past + (1 - self.beta) * now
        self.remember("targets", labels, targets)
        agreement = ops.sum(p * ops.stop_gradient(targets), axis=-1)
        return self.lambda_ * ops.log1p(-agreement) - labels.pick(log_p)
