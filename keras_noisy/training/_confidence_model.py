"""A classifier that stores how likely each label is right."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_noisy._trusted import trusted_mask
from keras_noisy.distribution import divisible
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.training._ldce_checks import checked_samples
from keras_noisy.training._similarity import log_confidence, similarities

#: Name of the per-sample state.
CONFIDENCE = "confidence_per_sample"


class ConfidenceModel(keras.Model):
    """Base of `LDCE`: its predictions and the confidences of the labels."""

    encoder: keras.Model
    head: keras.layers.Layer
    memory: SampleMemory
    num_classes: int
    num_samples: int
    similarity_tracker: keras.metrics.Metric
    confident_tracker: keras.metrics.Metric

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Logits, or in training a dictionary of logits and features."""
        features = self.encoder(inputs, training=training)
        logits = self.head(features)
        if not training:
            return logits
        return {"logits": logits, "features": features}

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Metrics of the labels; in evaluation only the compiled ones."""
        logs = super().compute_metrics(
            x, label_of(y), logits_of(y_pred), sample_weight
        )
        if not isinstance(y_pred, dict):
            for tracker in (self.similarity_tracker, self.confident_tracker):
                del logs[tracker.name]
        return logs

    def confidence(self, trusted: Any = None) -> np.ndarray:
        """How likely each label is right, as smoothed during training.

        Args:
            trusted: The labels that are known to be right, as a boolean per
                sample or as indices: their confidence becomes 1. Defaults to
                `None`, which leaves it at 0, as training estimates only the
                others.

        Returns:
            A float32 array of shape `(num_samples,)`.
        """
        state = ops.convert_to_numpy(self.memory.state(CONFIDENCE))
        found = np.array(state)[:-1, 0]
        if trusted is not None:
            found[trusted_mask(trusted, self.num_samples)] = 1.0
        return found

    def label_confidence(
        self,
        x: Any,
        labels: Any,
        shots: Any,
        shot_labels: Any,
        batch_size: int = 256,
    ) -> np.ndarray:
        """How likely labels of any samples are right, by the current network.

        The values are not smoothed and compare all classes. They detect wrong
        labels in data that the network was not trained on.

        Args:
            x: Samples, as the encoder takes them.
            labels: Their labels, integers of shape `(N,)` or `(N, 1)`.
            shots: Trusted samples, some of every class.
            shot_labels: Their labels.
            batch_size: Number of samples per step. Defaults to `256`.

        Returns:
            A float array of shape `(N,)`.
        """
        samples, all_labels = checked_samples(
            (x, labels), (shots, shot_labels), self.num_classes
        )
        features = divisible.predict(self.encoder, samples, batch_size)
        num_shots = len(samples) - len(labels)
        features = ops.convert_to_tensor(features)
        known = ops.convert_to_tensor(all_labels)
        is_shot = ops.arange(len(samples)) < num_shots
        similarity, _ = similarities(features, known, is_shot, self.num_classes)
        found = ops.exp(log_confidence(similarity, known))
        return np.array(ops.convert_to_numpy(found))[num_shots:]


def label_of(y: Any) -> Any:
    """The labels of a batch, in either form of `y`."""
    return y["label"] if isinstance(y, dict) else y


def logits_of(y_pred: Any) -> Any:
    """The logits, in either form of `y_pred`."""
    return y_pred["logits"] if isinstance(y_pred, dict) else y_pred
