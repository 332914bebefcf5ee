"""A search over losses with KerasTuner, and its gain over no tuning."""

from keras_noisy._old_names import old_names
from keras_noisy.tuning.search_loss import search_loss
from keras_noisy.tuning.start_with_baselines import start_with_baselines
from keras_noisy.tuning.summary import Results, Trial, summary

__all__ = [
    "Results",
    "Trial",
    "search_loss",
    "start_with_baselines",
    "summary",
]

__getattr__ = old_names(
    __name__,
    {
        "loss": "keras_noisy.tuning.search_loss",
        "results": "keras_noisy.tuning.summary",
    },
)
