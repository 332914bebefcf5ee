"""Findings about the given labels, from the predictions of several epochs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy._arguments import integer
from keras_noisy._files import path_of, reading, write_whole
from keras_noisy._given import labeled_elements
from keras_noisy.callbacks.label_quality._scores import Scores
from keras_noisy.callbacks.label_quality._statistics import (
    Statistics,
    statistics,
)
from keras_noisy.quality import Findings as AnyFindings


class Findings(AnyFindings):
    """Answers which labels are likely wrong, and shows the samples.

    A `LabelQuality` creates and updates it. It needs no model, so your own
    training loop can update it too: call `compare` with the predictions of all
    samples, in order, and `update` with the result.

    `estimate` models the areas under the margin as a mixture of two normal
    distributions, one for right and one for wrong labels. It therefore needs
    scores from before the wrong labels are memorized, and is too high if hardly
    any label is wrong.

    Args:
        labels: The given labels, integers of shape `(N,)`, or one for each
            token, pixel or output, as in `LabelQuality`.
        clean_labels: The true labels, if they are known. Defaults to
            `None`.
        class_names: A name for each class. Defaults to `None`, the numbers.
        images: A picture of each sample. Defaults to `None`, no pictures.
        ignore_class: A label that has no score. Defaults to `None`.
        multi_label: Whether labels and outputs are of shape `(N, labels)`,
            each of them a yes or no. Defaults to `False`.
        top: How many of the likeliest classes of the last epoch to keep.
            Defaults to `0`.

    Raises:
        ValueError: If predictions do not fit the labels.
        RuntimeError: If scores are requested before the first `update`.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.callbacks.label_quality import Findings
    >>> findings = Findings(np.array([0, 1, 0]))
    >>> predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> findings.update(findings.compare(predictions))
    >>> findings.suspects(1)
    array([2])

    References:
        - Pleiss et al., Identifying mislabeled data using the area under the
          margin ranking, NeurIPS 2020, arXiv 2001.10528
        - Arazo et al., Unsupervised label noise modeling and loss correction,
          ICML 2019, arXiv 1904.11238
    """

    evidence: Scores

    def __init__(
        self,
        labels: Any,
        clean_labels: Any = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
        images: Any = None,
        ignore_class: int | None = None,
        multi_label: bool = False,
        top: int = 0,
    ):
        self.top = integer("top", top, 0)
        given = labeled_elements(
            labels, clean_labels, class_names, images, ignore_class, multi_label
        )
        super().__init__(
            given.elements,
            Scores(given.elements.labels),
            given.clean_labels,
            given.class_names,
            given.images,
        )

    @property
    def epochs(self) -> int:
        """Number of epochs that count."""
        return self.evidence.epochs

    def compare(
        self,
        predictions: np.ndarray | Iterator[np.ndarray],
        from_logits: bool = False,
    ) -> Statistics:
        """Compare the predictions of all samples with their labels.

        Args:
            predictions: Probabilities or logits of shape `(N, num_classes)`,
                or with the axes of elements or a single output, or an iterator
                that gives them for some samples at a time.
            from_logits: Whether they are logits. Defaults to `False`.

        Returns:
            Loss, margin, predicted class and its probability, as flat arrays
            over the labels that have a score, and the likeliest classes, for
            `update` and `rates`.

        Raises:
            ValueError: If the predictions do not fit the labels.
        """
        is_whole = not isinstance(predictions, Iterator)
        parts = [predictions] if is_whole else predictions
        found, columns = statistics(parts, self.elements, from_logits, self.top)
        self.fit_to(columns)
        return found

    def update(self, epoch: Statistics) -> None:
        """Count one more epoch.

        Args:
            epoch: What `compare` returned.
        """
        self.evidence.update(epoch)
        self._estimate = None

    def rates(self, epoch: Statistics) -> dict[str, float]:
        """How often predictions agree with wrong and with clean labels.

        Args:
            epoch: What `compare` returned.

        Returns:
            `memorization_rate` and `clean_accuracy`; nothing without clean
            labels.
        """
        if self.clean_labels is None:
            return {}
        memorized = (epoch.predicted == self.elements.labels)[self.wrong()]
        rate = memorized.sum() / max(1, len(memorized))
        clean = epoch.predicted == self.elements.take(self.clean_labels)
        return {
            "memorization_rate": float(rate),
            "clean_accuracy": float(clean.mean()),
        }

    def _ignored(self) -> list[int]:
        ignore_class = self.elements.ignore_class
        return [] if ignore_class is None else [ignore_class]

    def save(self, path: str | os.PathLike) -> None:
        """Write the scores of all epochs so far to a file.

        Args:
            path: The file, which `load` reads.
        """
        arrays: dict[str, Any] = {
            "labels": self.labels,
            "class_names": np.array(self.class_names or [], str),
            "is_single": np.array(self.is_single),
            "ignore_class": np.array(self._ignored()),
            **self.evidence.state(),
        }

        def write(unfinished: Path) -> None:
            with unfinished.open("wb") as file:  # whatever its suffix is
                np.savez(file, **arrays)

        write_whole(path_of(path), write)

    def load(self, path: str | os.PathLike) -> None:
        """Continue with the scores that `save` wrote, instead of these.

        Args:
            path: The file.

        Raises:
            ValueError: If the file holds the scores of other labels.
        """
        path = path_of(path)
        with reading(path) as stream, np.load(stream) as file:
            saved = dict(file)
        same = np.array_equal(saved.pop("labels", None), self.labels)
        # Files of an earlier version do not have it.
        ignored = saved.pop("ignore_class", np.array(self._ignored()))
        same = same and ignored.tolist() == self._ignored()
        if not same or len(saved["margin_sum"]) != len(self.elements.labels):
            raise ValueError(
                "Invalid value for argument `path`. Expected the scores of "
                f"these {len(self.labels)} labels, as `save` writes them. "
                f"Received: {path}, of other labels or another `ignore_class`"
            )
        names = saved.pop("class_names").tolist()
        if self.class_names is None and names:
            self.class_names = names
        self.is_single = bool(saved.pop("is_single", False))
        self.evidence.restore(saved)
        self._estimate = None
