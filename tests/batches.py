"""Data sets that give batches in order, of every kind that `fit` takes."""

import keras
import numpy as np
import pytest


class Batches(keras.utils.PyDataset):
    """Batches of 32 in order, or shuffled anew after each epoch."""

    def __init__(self, x, y, shuffle=False):
        super().__init__()
        self.x, self.y, self.shuffle = x, y, shuffle
        self.order = np.arange(len(x))

    def __len__(self):
        return -(-len(self.x) // 32)

    def __getitem__(self, i):
        part = self.order[32 * i : 32 * (i + 1)]
        return self.x[part], self.y[part]

    def on_epoch_end(self):
        if self.shuffle:
            self.order = np.random.default_rng(0).permutation(len(self.x))


def tensorflow_batches(x, y):
    tf = pytest.importorskip("tensorflow", reason="tf.data needs TensorFlow")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(32)


def torch_batches(x, y):
    data = pytest.importorskip("torch.utils.data", reason="needs PyTorch")
    pairs = list(zip(x, y, strict=True))
    return data.DataLoader(pairs, batch_size=32)
