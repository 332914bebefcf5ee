"""Label noise: make it on purpose, or estimate it from predictions."""

from keras_noisy._old_names import old_names
from keras_noisy.noise.corrupt import Corruption, corrupt
from keras_noisy.noise.estimate import estimate_transition
from keras_noisy.noise.flip_labels import flip_labels
from keras_noisy.noise.instance_dependent import instance_dependent
from keras_noisy.noise.open_set import OpenSet, open_set
from keras_noisy.noise.out_of_fold import out_of_fold_probabilities
from keras_noisy.noise.plot_transition import plot_transition
from keras_noisy.noise.transition import (
    asymmetric,
    asymmetric_transition,
    pair_flip,
    pair_flip_transition,
    symmetric,
    symmetric_transition,
)
from keras_noisy.noise.trusted import transition_from_trusted

__all__ = [
    "Corruption",
    "OpenSet",
    "asymmetric",
    "asymmetric_transition",
    "corrupt",
    "estimate_transition",
    "flip_labels",
    "instance_dependent",
    "open_set",
    "out_of_fold_probabilities",
    "pair_flip",
    "pair_flip_transition",
    "plot_transition",
    "symmetric",
    "symmetric_transition",
    "transition_from_trusted",
]

__getattr__ = old_names(__name__, {"plot": "keras_noisy.noise.plot_transition"})
