"""Tables of a user, without pandas."""

import numpy as np


class Column:
    """A column of a table whose index is not the order of its rows."""

    def __init__(self, values):
        self.values = list(values)
        self.shape = (len(self.values),)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        return self.values[-1 - key]

    def __iter__(self):
        return iter(self.values)

    def to_numpy(self):
        return self.__array__()

    def __array__(self, dtype=None, copy=None):
        if not isinstance(self.values[0], np.ndarray):
            return np.array(self.values, dtype)
        found = np.empty(len(self.values), object)
        found[:] = self.values
        return found
