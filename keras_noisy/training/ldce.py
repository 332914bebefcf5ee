"""Label distribution confidence estimation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer, real
from keras_noisy._trusted import NOISY, QUERY, SHOT
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.training._callbacks import with_callback
from keras_noisy.training._confidence_model import (
    CONFIDENCE,
    ConfidenceModel,
    label_of,
    logits_of,
)
from keras_noisy.training._ldce_checks import (
    check_batch,
    check_encoder,
    check_fit,
    check_loss,
)
from keras_noisy.training._similarity import (
    class_subsets,
    log_confidence,
    similarities,
)

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class LDCE(ConfidenceModel):
    """Estimates from a few trusted labels how likely each other label is right.

    Label distribution confidence estimation is for data in which a small part
    of the labels is known to be right. Each step compares trusted queries and
    noisy samples with the shots, a few trusted samples of every class. A noisy
    sample that is similar to the class of its label gets a high confidence,
    and the classifier learns from it too. Fit the model to
    `keras_noisy.datasets.trusted_and_noisy` with `shuffle=False` and any loss
    of logits. `fit` logs `similarity_loss` and `confident`, the share of noisy
    samples in use. The model predicts logits.

    Formula:

    ```
    s_c(x) = 1 / mean over shots of class c and features (f(x) - f(shot))**2
    c_i = softmax(s(x_i))[y_i]                          # no gradient
    confidence_i = smoothing * confidence_i + (1 - smoothing) * c_i  # from 0
    w_i = confidence_i if confidence_i > threshold else 0
    similarity_loss = mean over queries of -log softmax(s)[y]
    loss = similarity_loss + (sum of L over shots and queries + sum w_i L_i)
           / (shots + queries + number of noisy samples with w_i > 0)
    ```

    where `f` is the encoder and `L` the compiled loss; the authors use
    cross-entropy. With more than `n_way` classes the softmax covers the class
    of the label and `n_way - 1` others, which are redrawn in each epoch. The
    authors' program exponentiates similarities directly, which overflows; here
    the softmax is stable, and distances are at least 1e-6. As the confidence
    begins at 0, by default no noisy sample is used in the first epoch.
    Compiled metrics see all samples of a step with their given labels.

    The authors train for 100 epochs with SGD at learning rate 0.1, a tenth of
    it after 60 epochs, momentum 0.9 and weight decay 1e-4. They then train a
    new classifier on all samples, see
    `keras_noisy.losses.ConfidenceCorrection`.

    Several devices work with JAX. With several TensorFlow devices or several
    processes `fit` raises an error: each would compare its samples with only
    some of the shots.

    Args:
        encoder: Built functional or sequential `keras.Model` from inputs to
            features of shape `(batch, size)`.
        num_classes: Number of classes, an integer of at least 2.
        num_samples: Number of training samples, including trusted ones.
        shots: Number of trusted samples of every class in a step, the same as
            in the data. Defaults to `5`.
        n_way: Number of classes to compare, including that of the label, an
            integer of at least 2. Defaults to `10`.
        smoothing: Weight of the past in the confidence, in [0, 1). Defaults
            to `0.6`.
        threshold: Confidence above which a noisy sample is used, in [0, 1].
            Defaults to `0.5`.
        seed: Seed for drawing the classes, an integer of at least 0. Defaults
            to `0`.
        name: Name of the model. Defaults to `"ldce"`.
        **kwargs: Arguments of `keras.Model`.

    Returns:
        A `keras.Model` to `compile` and `fit`. Its `head` is the linear layer
        on top of its `encoder`.

    Raises:
        ValueError: If an argument is outside its range; in `fit`, for data
            that are not from `trusted_and_noisy` or of other sizes, and for a
            loss that takes probabilities, has a memory or a `fade`, or whose
            reduction is not `"sum_over_batch_size"`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import CrossEntropy
    >>> from keras_noisy.datasets import trusted_and_noisy
    >>> from keras_noisy.training import LDCE
    >>> labels, trusted = np.arange(60) % 3, np.arange(12)
    >>> x = np.eye(3)[labels] + np.random.default_rng(0).normal(size=(60, 3))
    >>> data = trusted_and_noisy((x, labels), trusted, 16, queries=8)
    >>> tanh = keras.layers.Dense(4, activation="tanh")
    >>> model = LDCE(keras.Sequential([keras.Input((3,)), tanh]), 3, 60)
    >>> model.compile("sgd", CrossEntropy(from_logits=True))
    >>> history = model.fit(data, epochs=2, shuffle=False, verbose=0)
    >>> model.confidence(trusted).shape
    (60,)

    References:
        - Liu, Xu, Zhang, Geng, Label distribution for learning with noisy
          labels, IJCAI 2020
        - Snell, Swersky, Zemel, Prototypical networks for few-shot learning,
          NeurIPS 2017, arXiv 1703.05175
    """

    def __init__(
        self,
        encoder: keras.Model,
        num_classes: int,
        num_samples: int,
        shots: int = 5,
        n_way: int = 10,
        smoothing: float = 0.6,
        threshold: float = 0.5,
        seed: int = 0,
        name: str = "ldce",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        features = check_encoder(encoder)
        self.encoder = encoder
        self.num_classes = integer("num_classes", num_classes, 2)
        self.num_samples = integer("num_samples", num_samples, 1)
        self.shots = integer("shots", shots, 1)
        self.n_way = integer("n_way", n_way, 2)
        self.smoothing = real("smoothing", smoothing, 0, 1, "low")
        self.threshold = real("threshold", threshold, 0, 1, "low high")
        self.seed = integer("seed", seed, 0)
        self.head = keras.layers.Dense(self.num_classes, name="head")
        self.memory = SampleMemory(self.num_samples, {CONFIDENCE: "zeros"})
        self.similarity_tracker = keras.metrics.Mean(name="similarity_loss")
        self.confident_tracker = keras.metrics.Mean(name="confident")
        self.build(features)

    def build(self, input_shape: Any = None) -> None:
        """Create the head, the confidences and the class subsets."""
        if self.built:  # type: ignore[has-type]  # Keras sets it.
            return
        self.head.build(self.encoder.output_shape)
        self.memory.build((None, self.num_classes))
        self.subsets = None
        if self.n_way < self.num_classes:
            self.subsets = self.add_weight(
                name="class_subsets",
                shape=(self.num_classes, self.num_classes),
                dtype="float32",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
            )
            self._draw_subsets(0)
        self.built = True

    def _draw_subsets(self, epoch: int) -> None:
        if self.subsets is not None:
            self.subsets.assign(
                class_subsets(self.num_classes, self.n_way, self.seed, epoch)
            )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The sum of both losses; in evaluation the compiled loss alone."""
        check_loss(self.loss)
        if not training:
            return super().compute_loss(
                x, label_of(y), logits_of(y_pred), sample_weight, training
            )
        check_batch(y, sample_weight)
        similarity, weights, is_meant = self._compare(y, y_pred["features"])
        num_samples = ops.cast(ops.shape(weights)[0], weights.dtype)
        used = ops.sum(ops.cast(weights > 0, weights.dtype))
        weights = weights * (num_samples / used)
        loss = super().compute_loss(
            x, y["label"], y_pred["logits"], weights, training
        )
        total = loss + ops.cast(similarity, loss.dtype)
        return ops.where(is_meant, total, float("nan"))

    def _compare(
        self, y: dict, features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the queries, weights, and whether the batch is valid.

        This also writes the new confidences of the noisy samples.
        """
        labels, index, part = y["label"], y["index"], y["part"]
        similarity, counts = similarities(
            features, labels, part == SHOT, self.num_classes
        )
        subsets = self.subsets
        if subsets is not None:
            subsets = ops.convert_to_tensor(subsets)
        log_c = log_confidence(similarity, labels, subsets)
        dtype = log_c.dtype
        queries = ops.cast(part == QUERY, dtype)
        noisy = ops.cast(part == NOISY, dtype)
        loss = -ops.sum(log_c * queries) / ops.sum(queries)
        past = ops.cast(self.memory.rows(CONFIDENCE, index)[:, 0], dtype)
        now = ops.stop_gradient(ops.exp(log_c))
        now = self.smoothing * past + (1 - self.smoothing) * now
        scratch = ops.full_like(index, self.num_samples)
        self.memory.write(
            CONFIDENCE, ops.where(noisy > 0, index, scratch), now[:, None]
        )
        confident = ops.cast(now > self.threshold, dtype) * noisy
        self.similarity_tracker.update_state(ops.stop_gradient(loss))
        self.confident_tracker.update_state(ops.sum(confident) / ops.sum(noisy))
        weights = confident * now + 1 - noisy
        is_meant = ops.logical_and(
            ops.all(counts == self.shots), ops.all(index < self.num_samples)
        )
        return loss, weights, is_meant

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """`fit` of Keras, with new class subsets in each epoch."""
        redraw = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self._draw_subsets(epoch)
        )
        args, kwargs = with_callback(redraw, self, args, kwargs)
        given = dict(zip(("x", "y"), args, strict=False)) | kwargs
        check_fit(self, given.pop("x", None), **given)
        return super().fit(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "num_classes": self.num_classes,
            "num_samples": self.num_samples,
            "shots": self.shots,
            "n_way": self.n_way,
            "smoothing": self.smoothing,
            "threshold": self.threshold,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> LDCE:
        """Rebuild the encoder, with new weights."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
