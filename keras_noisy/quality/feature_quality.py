"""Wrong labels, found by neighbors in a feature space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._containers import as_array
from keras_noisy._given import check_length, labeled
from keras_noisy.quality._votes import LARGEST, Votes
from keras_noisy.quality.findings import Findings
from keras_noisy.quality.neighbors import nearest_neighbors


class FeatureQuality(Findings):
    """Finds wrong labels by their neighbors, without any training.

    Use it for data with good features from a pretrained network, such as from
    `keras_noisy.quality.features`. `suspects` lists labels that are likely
    wrong, `estimate` says how many there are, `clean` drops or corrects them,
    and `report` writes a page on which a person reviews them in a browser.

    There are four scores. All are higher where a label is more likely wrong;
    `v` are the shares of the classes among the neighbors:

    - `"weights"`: `1 - v_y / ||v||`. 51 neighbors vote, weighted by how
      near they are and by their reliability, which is one over the size of
      the smallest neighborhood of 11 to 51 with the label as its majority.
    - `"ranks"`: the same for `k` neighbors with equal votes.
    - `"votes"`: the largest share of another class among `k` neighbors minus
      the share of the given class.
    - `"posterior"`: 1 minus the probability that the label is right, given
      the votes of 51 neighbors and the estimated transition matrix. It is
      best if each class is mostly confused with one other.

    Standardize features that differ in scale.

    Formula:

    ```
    P(y, y', y'') = sum_i P(i) T_iy T_iy' T_iy''
    ```

    where y, y' and y'' are the labels of a sample and of its two nearest
    neighbors, which are assumed to share one true class i. `estimate` finds
    the matrix `T` that makes these triples most likely, over the tenth of the
    samples whose neighbors stand out most, and at least 50 per class. It needs
    no anchor points. The rate is too low if labels are wrong more often among
    the other samples, which is typical of human labels.

    Args:
        features: One row for each sample, of shape `(N, D)`. `None` if you
            pass `neighbors`.
        y: The given labels, integers of shape `(N,)` or `(N, 1)`, or the
            result of `keras_noisy.losses.with_index`. If the samples are
            files, also an object with `files`, `labels` and `class_names`,
            such as a `keras_noisy.datasets.ImageFiles`, or anything that
            `ImageDataset` reads: a folder of class folders, a CSV file or a
            table of paths and labels. These also give pictures and names.
        k: Number of neighbors for `"ranks"` and `"votes"`. Defaults to `10`.
        clean_labels: The true labels if known, with -1 for a sample outside
            the classes; for `precision_recall` and the report. Defaults to
            `None`.
        class_names: The name of each class, in the order of the labels, or
            a mapping from label to name. Defaults to `None`, the names from
            `y` or else the numbers.
        images: A picture of each sample, for `plot` and `report`: arrays of
            shape (height, width) or (height, width, channels), or paths of
            files. Defaults to `None`, the files of `y`.
        neighbors: Indices and cosines of the nearest other samples, both of
            shape `(N, m)`, the nearest first, as from `nearest_neighbors` or
            any other index. Defaults to `None`, which searches for them.
        candidates: Number of samples to compare each sample with in this
            search, such as `4096` for a million samples, see
            `nearest_neighbors`. Defaults to `None`, all of them.

    Returns:
        A `Findings`.

    Raises:
        ValueError: If an argument is outside its range or lengths differ.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import FeatureQuality
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> features = np.eye(3)[y] + rng.normal(size=(120, 3)) / 5
    >>> y[:6] = 2  # wrong labels
    >>> quality = FeatureQuality(features, y)
    >>> sorted(quality.suspects(6).tolist())
    [0, 1, 2, 3, 4, 5]
    >>> x, cleaned = quality.clean(features, y, n=6)
    >>> x.shape, cleaned.shape
    ((114, 3), (114,))

    References:
        - Zhu, Song, Liu (the estimate), Clusterability as an alternative to
          anchor points when learning with noisy labels, ICML 2021,
          arXiv 2102.05291
        - Zhu, Dong, Liu (votes and ranks), Detecting corrupted labels without
          training a model to predict, ICML 2022, arXiv 2110.06283
        - Di Salvo, Doerrich, Rieger, Ledig (weights), An embedding is worth a
          thousand noisy labels, TMLR 2025, arXiv 2408.14358
    """

    def __init__(
        self,
        features: Any,
        y: Any,
        k: int = 10,
        clean_labels: Any = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
        images: Any = None,
        neighbors: tuple[Any, Any] | None = None,
        candidates: int | None = None,
    ):
        given = labeled(y, clean_labels, class_names, images)
        labels, count = given.labels, len(given.labels)
        if count < 3:
            raise invalid("y", labels, "at least three labels")
        k = integer("k", k, 1)
        if k >= count:
            raise invalid("k", k, f"fewer neighbors than the {count} samples")
        if neighbors is None:
            rows = as_array("features", features)
            check_length("features", len(rows), count)
            most = min(max(k, LARGEST), count - 1)
            neighbors = nearest_neighbors(rows, most, candidates)
        elif candidates is not None:
            expected = "None, as `neighbors` are given"
            raise invalid("candidates", candidates, expected)
        else:
            neighbors = _checked(neighbors, count, k)
        names = given.class_names
        if names is None:
            names = [str(label) for label in range(max(labels.max() + 1, 2))]
        clean = given.clean_labels
        if clean is not None and clean.max() >= len(names):
            raise invalid(
                "clean_labels", clean, f"labels below {len(names)}, the classes"
            )
        votes = Votes(labels, len(names), *neighbors, k)
        super().__init__(labels, votes, clean, names, given.images)


def _checked(
    neighbors: tuple[Any, Any], count: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Check indices and cosines that the caller passed."""
    expected = (
        f"indices in [0, {count}) and cosines, both of shape ({count}, m) with "
        f"m >= {max(k, 2)}, the nearest first, of other samples"
    )
    try:
        indices, cosines = neighbors
    except (TypeError, ValueError) as error:
        raise invalid("neighbors", type(neighbors), expected) from error
    indices = as_array("neighbors", indices)
    cosines = as_array("neighbors", cosines).astype("float32")
    fits = (
        indices.dtype.kind in "iu"
        and indices.shape == cosines.shape
        and indices.ndim == 2
        and len(indices) == count
        and indices.shape[1] >= max(k, 2)
    )
    if not fits:
        raise ValueError(
            f"Invalid value for argument `neighbors`. Expected {expected}. "
            f"Received: shapes {indices.shape} and {cosines.shape}, dtype "
            f"{indices.dtype}"
        )
    bad = (indices < 0) | (indices >= count)
    bad |= indices == np.arange(count)[:, None]
    bad |= ~np.isfinite(cosines)
    bad[:, 1:] |= cosines[:, 1:] > cosines[:, :-1] + 1e-5
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        raise ValueError(
            f"Invalid value for argument `neighbors`. Expected {expected}. "
            f"Received: index {indices[row, column]} and cosine "
            f"{cosines[row, column]} as neighbor {column} of sample {row}"
        )
    return indices, cosines
