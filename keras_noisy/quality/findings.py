"""Which labels are wrong, how many, and the data without them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy._label_arrays import HIGHEST
from keras_noisy.quality._clean import cleaned, own_labels
from keras_noisy.quality._pictures import figure, with_notes
from keras_noisy.quality._report import fingerprint, report_page
from keras_noisy.quality.decisions import Decisions, read_decisions
from keras_noisy.quality.estimate import Estimate


class Evidence(Protocol):
    """What speaks for and against the labels, and where it comes from."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, the best one first."""

    @property
    def predicted(self) -> np.ndarray:
        """The class that each sample is taken for."""

    @property
    def probability(self) -> np.ndarray:
        """How surely, in [0, 1]."""

    def of(self, name: str) -> np.ndarray:
        """A score of each sample, higher where its label is likelier wrong."""

    def order(self, name: str) -> np.ndarray:
        """All samples, those whose labels are most likely wrong first."""

    def estimate(self, num_classes: int) -> Estimate:
        """How many labels are wrong."""

    def posterior(
        self, estimate: Estimate
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Probabilities of the true class, for some rows at a time."""

    def source(self) -> str:
        """What the page says about where the scores come from."""

    def warning(self, num_classes: int) -> str | None:
        """What to do if the evidence has nothing to say, else `None`."""


class Findings:
    """Answers which labels are likely wrong, and shows the samples.

    The part that `FeatureQuality`, `PredictionQuality` and `LabelQuality`
    share: they bring the evidence, and this ranks, estimates, cleans, shows,
    and reads what a person decided.

    Args:
        labels: The given labels, integers of shape `(N,)`.
        evidence: Scores of each sample, with the methods of `Evidence`.
        clean_labels: The true labels, if they are known. Defaults to
            `None`.
        class_names: A name for each class. Defaults to `None`, the numbers.
        images: A picture of each sample. Defaults to `None`, no pictures.

    Returns:
        An object that answers.

    Raises:
        ValueError: If an argument of a question is outside its range.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import PredictionQuality
    >>> p = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    >>> findings = PredictionQuality(p, [0, 1, 0])
    >>> findings.suspects(1)
    array([2])

    References:
        - Northcutt et al., Confident learning: estimating uncertainty in
          dataset labels, JAIR 2021, arXiv 1911.00068
    """

    def __init__(
        self,
        labels: np.ndarray,
        evidence: Evidence,
        clean_labels: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        images: Any = None,
    ):
        self.labels = labels
        self.evidence = evidence
        self.clean_labels = clean_labels
        self.class_names = class_names
        self.images = images
        self._estimate: Estimate | None = None
        self._has_warned = False

    @property
    def predicted(self) -> np.ndarray:
        """The class that each sample is taken for."""
        return self.evidence.predicted

    def scores(self, score: str | None = None) -> np.ndarray:
        """The score of each sample, higher where its label is likelier wrong.

        Args:
            score: The name of the score. Defaults to `None`, the first.

        Returns:
            A float64 array of shape `(N,)`.
        """
        return self.evidence.of(self._named(score))

    def estimate(self) -> Estimate:
        """How many labels are wrong, of each class, and the matrix.

        Returns:
            An `Estimate`.
        """
        if self._estimate is None:
            self._estimate = self.evidence.estimate(len(self._names()))
        return self._estimate

    @property
    def threshold(self) -> float:
        """The default score from which on as many are suspects as estimated.

        Infinite if no label is estimated to be wrong.
        """
        count = self.estimate().count
        if count == 0:
            return np.inf
        return float(np.sort(self.scores())[-count])

    def suspects(
        self,
        n: int | None = None,
        score: str | None = None,
        label: int | None = None,
    ) -> np.ndarray:
        """The samples whose labels are most likely wrong, the worst first.

        Ties are in the order of the default score.

        Args:
            n: How many, at most. Defaults to `None`, the estimated number
                of wrong labels.
            score: See `scores`. Defaults to `None`, the first.
            label: Only samples that were given this label. Defaults to
                `None`, all.

        Returns:
            Indices, an int64 array of shape `(n,)`.
        """
        if n is not None:
            n = integer("n", n, 1)
        order = self.evidence.order(self._named(score))
        self._warn()
        if n is None:
            order = order[: self.estimate().count]
        if label is not None:
            label = integer("label", label)
            if not np.any(self.labels == label):
                raise invalid("label", label, "a label that `y` has")
            order = order[self.labels[order] == label]
        return order[:n]

    def clean(
        self,
        x: Any,
        y: Any = None,
        action: str = "drop",
        n: int | None = None,
        score: str | None = None,
    ) -> tuple[Any, ...]:
        """Data to train on, without the labels that are likely wrong.

        Args:
            x: The samples, in the order of the labels: arrays, a table, a
                list such as one of paths, or a nest of these.
            y: Their labels, which are compared with those known here.
                Defaults to `None`, these.
            action: `"drop"` leaves the suspects out, `"relabel"` gives them
                the predicted class, `"weight"` weights every sample by the
                probability that its label is right, and `"soft"` gives it the
                probabilities of all classes. Defaults to `"drop"`.
            n: Number of suspects, for the first two. Defaults to `None`, the
                estimated number.
            score: See `scores`. Defaults to `None`, the first.

        Returns:
            `(x, y)`, or `(x, y, sample_weight)` for `"weight"`; weights are
            float32 of shape `(N,)`, soft labels of shape `(N, num_classes)`.
        """
        return cleaned(self, x, y, action, n, score)

    def precision_recall(
        self, n: int | None = None, score: str | None = None
    ) -> tuple[float, float]:
        """How well the suspects meet the wrong labels, against the clean ones.

        Args:
            n: Number of suspects. Defaults to `None`, the number of labels
                that are wrong, where precision and recall are the same.
            score: See `scores`. Defaults to `None`, the first.

        Returns:
            The share of wrong labels among the suspects, and the share of
            suspects among the wrong labels.
        """
        if self.clean_labels is None:
            raise ValueError(
                "Precision and recall need the true labels: pass "
                "`clean_labels` at the beginning"
            )
        wrong = self._wrong()
        if not wrong.any():
            raise ValueError(
                "Precision and recall need a wrong label, but `y` is equal to "
                "`clean_labels`"
            )
        hits = wrong[self.suspects(wrong.sum() if n is None else n, score)]
        return float(hits.mean()), float(hits.sum() / wrong.sum())

    def plot(
        self,
        n: int = 24,
        score: str | None = None,
        label: int | None = None,
    ) -> Any:
        """Plot the samples whose labels are most likely wrong.

        Needs matplotlib: `pip install matplotlib`.

        Args:
            n: How many, at most. Defaults to `24`.
            score: See `scores`. Defaults to `None`, the first.
            label: Only samples that were given this label. Defaults to
                `None`, all.

        Returns:
            A `matplotlib.figure.Figure`; call its `savefig`.
        """
        suspects = self.suspects(n, score, label)
        names = self._names()
        titles = [
            [
                f"given {names[self.labels[i]]}",
                f"predicted {names[self.predicted[i]]}",
            ]
            for i in suspects
        ]
        return figure(with_notes(self.images, suspects), titles)

    def report(
        self,
        path: str | os.PathLike,
        n: int | None = 500,
        score: str | None = None,
        title: str = "Label quality",
    ) -> Path:
        """Write a page on which a person goes through the suspects.

        One HTML file that a browser opens without a network: the pictures
        with given and predicted label and scores, to filter and to sort, a
        decision to keep, to drop or to relabel each sample, and these
        decisions to download for `decisions`. Needs Pillow: `pip install
        pillow`.

        Args:
            path: The file to write.
            n: How many suspects to show, at most. Defaults to `500`; `None`
                is the estimated number of wrong labels.
            score: See `scores`. Defaults to `None`, the first.
            title: The title of the page. Defaults to `"Label quality"`.

        Returns:
            The path.
        """
        path, score = Path(path), self._named(score)
        page = report_page(
            self.evidence,
            self.labels,
            self.suspects(n, score),
            score=score,
            title=title,
            images=self.images,
            class_names=self._names(),
            clean_labels=self.clean_labels,
            warning=self.warning(),
        )
        path.write_text(page, encoding="utf-8")
        return path

    def decisions(self, path: str | os.PathLike) -> Decisions:
        """Read what a person decided on the page of `report`.

        Args:
            path: The file `decisions.csv` that the page downloads.

        Returns:
            A `Decisions`, whose `apply` cleans the data.
        """
        key = fingerprint(self.labels, self.images)
        names = self.class_names
        # A LabelQuality may learn them with its first epoch.
        num_classes = HIGHEST if names is None else len(names)
        return read_decisions(path, self.labels, num_classes, key)

    def warning(self) -> str | None:
        """What speaks against the order of the suspects, `None` if nothing.

        Returns:
            A text that says what to do.
        """
        return self.evidence.warning(len(self._names()))

    def given(self, y: Any) -> np.ndarray:
        """`y` as an array, if these are the labels known here."""
        return own_labels(y, self.labels)

    def _warn(self) -> None:
        warning = None if self._has_warned else self.warning()
        if warning:
            self._has_warned = True
            # Name the line that asked.
            warnings.warn(warning, stacklevel=4)

    def _named(self, score: str | None) -> str:
        return self.evidence.names[0] if score is None else score

    def _names(self) -> Sequence[str]:
        # Known before anything is asked.
        return cast(Sequence[str], self.class_names)

    def _wrong(self) -> np.ndarray:
        return self.labels != self.clean_labels
