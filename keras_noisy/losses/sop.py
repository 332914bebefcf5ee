"""Sparse over-parametrization."""

import keras
from keras import ops

from keras_noisy.losses.base._arguments import number
from keras_noisy.losses.base._math import at_least
from keras_noisy.losses.base._signature import robust_loss
from keras_noisy.losses.base._smoothed import IndexedLabels
from keras_noisy.losses.base.memory import MemoryLoss
from keras_noisy.losses.base.robust_loss import Tensor

LEAST = 1e-4


@robust_loss
class SOP(MemoryLoss):
    """Sparse over-parametrization (SOP), which learns the noise of a sample.

    Every sample has its own numbers that explain a wrong label: `u` is the
    excess of the label, and `v` the lack of other classes. They start near
    zero, have their own gradient descent, and grow only where the network
    disagrees with the label. Fit to pairs of label and index, and `connect` the
    outputs; outside training the loss is cross-entropy. Every output needs its
    own loss. Keras' accuracy and `class_weight` mistake such a pair for a
    one-hot label: use `LabelAccuracy` and `sample_weight`. Published for
    symmetric noise on CIFAR-100: `lr_u` 1, `lr_v` 10.

    Formula:

    ```
    U = clip(u ** 2, 0, 1) * onehot(y)
    V = clip(v ** 2, 0, 1) * (1 - onehot(y))
    q = max(p + U - V, 1e-4)
    loss = -log(q_y / sum(q)) + sum((onehot(argmax p) + U - V - onehot(y)) ** 2)
    ```

    where `p` is the prediction and `y` the label. Label smoothing only applies
    in the loss, not in `U` and `V`. As in the paper, `u` descends on the first
    term and `v` on the second.

    Args:
        num_samples: Number of training samples, an integer of at least 1.
        lr_u: Learning rate of `u`, a number of at least 0, for the mean loss
            of a batch. Defaults to `1.0`.
        lr_v: Learning rate of `v`, like `lr_u`. Defaults to `10.0`.
        memory_key: Text that ties the loss to its memory in a saved model.
            Defaults to `None`, a new key.

    Raises:
        ValueError: If an argument is outside its range, if predictions did not
            pass through the memory, or if labels have no index in training.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.losses import SOP, with_index
    >>> from keras_noisy.metrics import LabelAccuracy
    >>> x, labels = np.zeros((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    >>> sop = SOP(num_samples=6)
    >>> inputs = keras.Input((4,))
    >>> outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    >>> model = keras.Model(inputs, sop.connect(outputs))
    >>> model.compile("sgd", sop, metrics=[LabelAccuracy()])
    >>> history = model.fit(x, with_index(labels), verbose=0)

    References:
        - Liu et al., Robust training under label noise by
          over-parameterization, ICML 2022, arXiv 2202.14026
    """

    lr_u: float = number(1.0, 0, closed="low")
    lr_v: float = number(10.0, 0, closed="low")

    # At exactly 0 there is no gradient.
    states = {  # noqa: RUF012
        "u_per_sample": keras.initializers.RandomNormal(stddev=1e-8, seed=0),
        "v": keras.initializers.RandomNormal(stddev=1e-8, seed=1),
    }

    def memory_formula(
        self, labels: IndexedLabels, log_p: Tensor, plain_log_p: Tensor
    ) -> Tensor:
        """One value per sample in training, which also writes the memory."""
        u = self.recall("u_per_sample", labels)
        v = self.recall("v", labels)
        y, target = labels.sparse.dense(log_p), labels.dense(log_p)
        t_y = labels.sparse.pick(target)[:, None]
        U = ops.clip(ops.square(u), 0, 1) * y
        V = ops.clip(ops.square(v), 0, 1) * (1 - y)
        q = at_least(ops.exp(log_p) + U - V, LEAST)
        total = ops.sum(q, axis=-1, keepdims=True)
        q_y = labels.sparse.pick(q)[:, None]
        winner = ops.argmax(plain_log_p, axis=-1)
        rest = ops.one_hot(winner, q.shape[-1], dtype=q.dtype) + U - V - target

        # A step of gradient descent: u on the first term, v on the second.
        rate = 1 / self.memory.batch_size(q)
        # There is no gradient where a square is clipped at 1.
        slope_u = 2 * u * ops.where(q_y > LEAST, 1 / total - t_y / q_y, 0.0)
        slope_u = ops.where(ops.abs(u) <= 1, slope_u, 0.0)
        slope_v = ops.where(ops.abs(v) <= 1, -4 * v * rest * (1 - y), 0.0)
        self.remember("u_per_sample", labels, u - self.lr_u * rate * slope_u)
        self.remember("v", labels, v - self.lr_v * rate * slope_v)
        likelihood = labels.pick(ops.log(q)) - ops.log(total[:, 0])
        return ops.sum(ops.square(rest), axis=-1) - likelihood
