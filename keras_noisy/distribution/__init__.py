"""Training on several devices and hosts, with the same code on each backend."""

from keras_noisy.distribution.data_parallel import DataParallel, data_parallel
from keras_noisy.distribution.processes import process_count, process_index

__all__ = ["DataParallel", "data_parallel", "process_count", "process_index"]
