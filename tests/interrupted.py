"""A run that a user interrupts, and a comparison with a whole one."""

import keras
import numpy as np
from keras import ops


class Stop(keras.callbacks.Callback):
    def __init__(self, epoch=2):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def assert_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (one, other)))
