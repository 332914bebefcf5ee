"""Layers that losses, training and models for sessions need."""

from keras_noisy.layers.calibration_fade import CalibrationFade
from keras_noisy.layers.cosine_dense import CosineDense
from keras_noisy.layers.frozen import Frozen
from keras_noisy.layers.gated_graph_cell import GatedGraphCell
from keras_noisy.layers.gaussian_cloud import GaussianCloud
from keras_noisy.layers.interest_scores import InterestScores
from keras_noisy.layers.loss_history import LossHistory
from keras_noisy.layers.personalized_graph_cell import PersonalizedGraphCell
from keras_noisy.layers.sample_memory import SampleMemory
from keras_noisy.layers.session_attention import SessionAttention
from keras_noisy.layers.session_graph import SessionGraph
from keras_noisy.layers.session_readout import SessionReadout
from keras_noisy.layers.step_counter import StepCounter
from keras_noisy.layers.without_state import without_state

__all__ = [
    "CalibrationFade",
    "CosineDense",
    "Frozen",
    "GatedGraphCell",
    "GaussianCloud",
    "InterestScores",
    "LossHistory",
    "PersonalizedGraphCell",
    "SampleMemory",
    "SessionAttention",
    "SessionGraph",
    "SessionReadout",
    "StepCounter",
    "without_state",
]
