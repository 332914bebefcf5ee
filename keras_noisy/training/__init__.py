"""Training methods that need more than a loss."""

from keras_noisy.training.clouded_learning_rate import clouded_learning_rate
from keras_noisy.training.hsic_bottleneck import HSICBottleneck
from keras_noisy.training.ldce import LDCE
from keras_noisy.training.replicated_sgd import ReplicatedSGD
from keras_noisy.training.retrain_classifier import retrain_classifier
from keras_noisy.training.sam import SAM

__all__ = [
    "LDCE",
    "SAM",
    "HSICBottleneck",
    "ReplicatedSGD",
    "clouded_learning_rate",
    "retrain_classifier",
]
