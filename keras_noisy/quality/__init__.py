"""Which labels are wrong, how many, and what to do with them."""

from keras_noisy.quality.decisions import Decisions
from keras_noisy.quality.estimate import Estimate
from keras_noisy.quality.feature_quality import FeatureQuality
from keras_noisy.quality.findings import Findings
from keras_noisy.quality.neighbors import nearest_neighbors
from keras_noisy.quality.prediction_quality import PredictionQuality

__all__ = [
    "Decisions",
    "Estimate",
    "FeatureQuality",
    "Findings",
    "PredictionQuality",
    "nearest_neighbors",
]
