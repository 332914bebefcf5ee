"""Losses that learn from noisy labels."""

from keras_noisy.losses.cross_entropy import CrossEntropy
from keras_noisy.losses.gce import GCE
from keras_noisy.losses.mae import MAE
from keras_noisy.losses.mae_star import MAEStar
from keras_noisy.losses.robust_loss import RobustLoss

__all__ = ["GCE", "MAE", "CrossEntropy", "MAEStar", "RobustLoss"]
