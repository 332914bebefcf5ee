"""A search over losses with KerasTuner, and what it gains over no tuning."""

from keras_noisy.tuning.loss import loss
from keras_noisy.tuning.results import Results, Trial, results
from keras_noisy.tuning.start_with_baselines import start_with_baselines

__all__ = ["Results", "Trial", "loss", "results", "start_with_baselines"]
