"""Wrong labels: made on purpose, or estimated from predictions."""

from keras_noisy.noise.corrupt import Corruption, corrupt
from keras_noisy.noise.estimate import estimate_transition
from keras_noisy.noise.instance_dependent import instance_dependent
from keras_noisy.noise.open_set import OpenSet, open_set
from keras_noisy.noise.out_of_fold import out_of_fold_probabilities
from keras_noisy.noise.plot import plot
from keras_noisy.noise.transition import asymmetric, pair_flip, symmetric

__all__ = [
    "Corruption",
    "OpenSet",
    "asymmetric",
    "corrupt",
    "estimate_transition",
    "instance_dependent",
    "open_set",
    "out_of_fold_probabilities",
    "pair_flip",
    "plot",
    "symmetric",
]
