"""Self-ensemble label correction."""

from keras import ops

from keras_noisy.losses.base._arguments import number, whole_number
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base._smoothed import IndexedLabels
from keras_noisy.losses.base.memory import MemoryLoss
from keras_noisy.losses.base.robust_loss import Tensor


@robust_loss
class SELC(MemoryLoss):
    """Self-ensemble label correction (SELC), which rewrites wrong labels.

    Networks learn right labels before they memorize wrong ones. After `start`
    epochs, SELC moves the target of each sample from its label to the running
    mean of its predictions, so that the network trains on its own predictions.
    Epochs are counted per sample, by how often it was in a training batch:
    nothing has to be called between epochs, and resumed training continues
    where it stopped. Fit to pairs of label and index, and `connect` the
    outputs; outside training the loss is cross-entropy. Every output needs its
    own loss. Keras' accuracy and `class_weight` mistake such a pair for a
    one-hot label: use `LabelAccuracy` and `sample_weight`.

    Formula:

    ```
    t_i = onehot(y)                                  # in the first epochs
    t_i = momentum * t_i + (1 - momentum) * p        # then, no gradient
    loss = -sum(t_ik * log(p_k) for all classes k)
    ```

    where `p` is the prediction of sample `i` and `y` its label. The memory
    holds `t_i - onehot(y)`, the correction of the label.

    Args:
        num_samples: Number of training samples, an integer of at least 1.
        momentum: Weight of the past target, a number in [0, 1]; 1 is
            cross-entropy. Defaults to `0.9`.
        start: Number of epochs with the given labels, an integer of at least
            0. The authors choose the epoch where memorization begins, and 10
            if they do not estimate it. Defaults to `10`.
        memory_key: Text that ties the loss to its memory in a saved model.
            Defaults to `None`, a new key.

    Raises:
        ValueError: If an argument is outside its range, if predictions did not
            pass through the memory, or if labels have no index in training.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import SELC, with_index
    >>> from keras_noisy.metrics import LabelAccuracy
    >>> x, labels = np.zeros((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    >>> selc = SELC(num_samples=6, start=1)
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, selc.connect(outputs))
    >>> model.compile(keras.optimizers.SGD(0.0), selc)
    >>> history = model.fit(x, with_index(labels), epochs=2, verbose=0)
    >>> selc.memory.state("corrections").numpy()[0]  # a tenth of p - onehot(0)
    array([-0.06...,  0.03...,  0.03...], dtype=float32)

    References:
        - Lu, He, SELC: self-ensemble label correction improves learning with
          noisy labels, IJCAI 2022, arXiv 2205.01156
    """

    momentum: float = number(0.9, 0, 1, closed="low high")
    start: int = whole_number(10, low=0)

    # Stored as a difference to the label, so that it starts at 0 for all.
    states = {  # noqa: RUF012
        "corrections": "zeros",
        "visits_per_sample": "zeros",
    }

    def memory_formula(
        self, labels: IndexedLabels, log_p: Tensor, plain_log_p: Tensor
    ) -> Tensor:
        """One value per sample in training, which also writes the memory."""
        visits = self.recall("visits_per_sample", labels)
        given = labels.dense(log_p)
        past = given + self.recall("corrections", labels)
        p = ops.stop_gradient(ops.exp(plain_log_p))
        now = self.momentum * past + (1 - self.momentum) * p
        targets = ops.where(visits >= self.start, now, given)
        self.remember("corrections", labels, targets - given)
        self.remember("visits_per_sample", labels, visits + 1)
        safe = ops.where(targets == 0, 0.0, log_p)
        return -ops.sum(ops.stop_gradient(targets) * safe, axis=-1)
