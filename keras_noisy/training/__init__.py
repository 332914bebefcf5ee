"""Methods that train a model in a way of their own."""

from keras_noisy.training.clouded_learning_rate import clouded_learning_rate
from keras_noisy.training.retrain_classifier import retrain_classifier

__all__ = ["clouded_learning_rate", "retrain_classifier"]
