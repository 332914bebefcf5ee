"""Metrics for training with noisy labels."""

from keras_noisy._old_names import old_names
from keras_noisy.metrics import label_quality as label_quality
from keras_noisy.metrics.clean_accuracy import CleanAccuracy
from keras_noisy.metrics.label_accuracy import LabelAccuracy
from keras_noisy.metrics.local_energy import (
    LocalEnergy,
    local_energy,
    plot_local_energy,
)
from keras_noisy.metrics.memorization_rate import MemorizationRate
from keras_noisy.metrics.mrr_at import MRRAt
from keras_noisy.metrics.recall_at import RecallAt

__all__ = [
    "CleanAccuracy",
    "LabelAccuracy",
    "LocalEnergy",
    "MRRAt",
    "MemorizationRate",
    "RecallAt",
    "local_energy",
    "plot_local_energy",
]

__getattr__ = old_names(
    __name__, {"LabelQuality": "keras_noisy.callbacks.LabelQuality"}
)
