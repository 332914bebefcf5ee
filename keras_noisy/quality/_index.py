"""The nearest neighbors of millions of samples, with a faiss index."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from keras_noisy.quality._unit_rows import unit_blocks

#: Training samples per list; faiss asks for at least this many.
SAMPLES = 40


def among_lists(
    features: np.ndarray, k: int, candidates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each sample with about `candidates` others.

    An inverted file sorts the samples into lists and searches only the
    nearest lists.
    """
    faiss = _faiss()
    count, width = features.shape
    lists = max(1, min(round(4 * math.sqrt(count)), count // SAMPLES))
    index = faiss.index_factory(
        width, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT
    )
    generator = np.random.default_rng(0)
    size = min(count, SAMPLES * lists)
    chosen = np.sort(generator.choice(count, size, replace=False))
    parts = [rows for _, rows in unit_blocks(features, chosen)]
    index.train(np.concatenate(parts))
    for _, rows in unit_blocks(features):
        index.add(rows)
    indices = np.empty((count, k), "int32")
    cosines = np.empty((count, k), "float32")
    for part, rows in unit_blocks(features):
        index.nprobe = -(-candidates * lists // count)
        near, found = index.search(rows, k + 1)
        short = found[:, -1] < 0
        if short.any():  # Few samples are in the nearest lists.
            index.nprobe = lists
            near[short], found[short] = index.search(rows[short], k + 1)
        others = found != np.arange(part.start, part.stop)[:, None]
        # Among many copies the sample itself may not be found.
        others[others.all(axis=1), -1] = False
        indices[part] = found[others].reshape(-1, k)
        cosines[part] = near[others].reshape(-1, k)
    return indices, cosines


def _faiss() -> Any:
    try:
        with warnings.catch_warnings():
            # The generated types of faiss have no module name.
            warnings.filterwarnings("ignore", "builtin type")
            import faiss
    except ImportError as error:
        raise ImportError(
            "`candidates` needs faiss: pip install faiss-cpu. Leave "
            "`candidates` out to compare all samples"
        ) from error
    return faiss
