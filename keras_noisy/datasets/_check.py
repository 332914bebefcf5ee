"""Finds files that the readers cannot read, before training."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_noisy._arguments import integer
from keras_noisy._pillow import fault, pillow


def faults(
    files: Sequence[str] | np.ndarray, workers: int | None = None
) -> list[str | None]:
    """The reason why each file cannot be read as a picture, or None.

    Decodes every file as the readers do, in `workers` threads, by default one
    per processor, and shows progress.
    """
    if workers is not None:
        integer("workers", workers, 1)
    pillow()
    found: list[str | None] = []
    progress = keras.utils.Progbar(len(files), unit_name="image")
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        # Every queued file takes memory, so check them in parts.
        for start in range(0, len(files), 1000):
            part = [str(file) for file in files[start : start + 1000]]
            found += pool.map(fault, part)
            progress.update(len(found))
    return found
