"""Find wrong labels, estimate how many there are, and clean the data."""

from keras_noisy.quality.annotators import Annotated, from_annotators
from keras_noisy.quality.cleanlab import (
    KerasClassifier,
    find_label_issues,
    from_noise_matrix,
    to_noise_matrix,
)
from keras_noisy.quality.decisions import Decisions
from keras_noisy.quality.estimate import Estimate
from keras_noisy.quality.feature_quality import FeatureQuality
from keras_noisy.quality.features import features
from keras_noisy.quality.findings import Findings
from keras_noisy.quality.neighbors import nearest_neighbors
from keras_noisy.quality.prediction_quality import PredictionQuality

__all__ = [
    "Annotated",
    "Decisions",
    "Estimate",
    "FeatureQuality",
    "Findings",
    "KerasClassifier",
    "PredictionQuality",
    "features",
    "find_label_issues",
    "from_annotators",
    "from_noise_matrix",
    "nearest_neighbors",
    "to_noise_matrix",
]
