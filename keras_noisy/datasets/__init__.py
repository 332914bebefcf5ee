"""Data sets with noisy labels, and pipelines that feed them to a network.

WebVision is in `keras_noisy.datasets.webvision`, which is imported on its own.
"""

from keras_noisy.datasets.image_dataset import ImageDataset
from keras_noisy.datasets.image_files import ImageFiles
from keras_noisy.datasets.load import load
from keras_noisy.datasets.noisy_dataset import NoisyDataset
from keras_noisy.datasets.pipeline import pipeline

__all__ = ["ImageDataset", "ImageFiles", "NoisyDataset", "load", "pipeline"]
