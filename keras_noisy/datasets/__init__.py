"""Data sets with noisy labels, and pipelines that feed them to a network.

WebVision is in `keras_noisy.datasets.webvision`, which is imported on its own.
"""

from keras_noisy.datasets.class_weights import class_weights
from keras_noisy.datasets.image_dataset import ImageDataset
from keras_noisy.datasets.image_files import ImageFiles
from keras_noisy.datasets.load import load
from keras_noisy.datasets.load_sessions import load_sessions
from keras_noisy.datasets.long_tail import long_tail
from keras_noisy.datasets.noisy_dataset import NoisyDataset
from keras_noisy.datasets.pipeline import pipeline
from keras_noisy.datasets.sample_weights import sample_weights
from keras_noisy.datasets.session_dataset import SessionDataset
from keras_noisy.datasets.sessions import Sessions
from keras_noisy.datasets.trusted_and_noisy import trusted_and_noisy

__all__ = [
    "ImageDataset",
    "ImageFiles",
    "NoisyDataset",
    "SessionDataset",
    "Sessions",
    "class_weights",
    "load",
    "load_sessions",
    "long_tail",
    "pipeline",
    "sample_weights",
    "trusted_and_noisy",
]
