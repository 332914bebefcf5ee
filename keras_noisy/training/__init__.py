"""Methods of training that need more than a loss."""

from keras_noisy.training.replicated_sgd import ReplicatedSGD
from keras_noisy.training.sam import SAM

__all__ = ["SAM", "ReplicatedSGD"]
