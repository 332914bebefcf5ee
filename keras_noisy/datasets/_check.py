"""Finds files that the readers cannot read, before training."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_noisy._arguments import integer
from keras_noisy._pillow import as_written, fault, pillow


def readable(
    files: Sequence[str] | np.ndarray,
    names: Sequence[str] | np.ndarray,
    workers: int | None,
) -> tuple[np.ndarray, dict[str, str]]:
    """Which files can be read as pictures, and the faults of the others.

    Decodes every file as the readers do, in `workers` threads, by default one
    per processor, and shows progress. The faults are by the `names` of the
    files. If no file can be read, an error is raised.
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
    good = np.array([why is None for why in found], bool)
    if not good.any():
        advice = as_written(str(files[0])) or (
            "Are the paths relative to another folder, or in another column?"
        )
        raise ValueError(
            "Expected images that can be read. Received: "
            f"{len(files)} files and none is, such as {files[0]}: "
            f"{found[0]}. {advice.rstrip('. ')}"
        )
    pairs = zip(names, found, strict=True)
    return good, {str(name): why for name, why in pairs if why is not None}
