"""The public methods that all ways to find wrong labels share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy._files import path_of
from keras_noisy._label_arrays import HIGHEST
from keras_noisy.quality._clean import cleaned, own_labels
from keras_noisy.quality._pictures import figure
from keras_noisy.quality._ranked import Ranked
from keras_noisy.quality._report import fingerprint, report_page
from keras_noisy.quality._shown import shown_on
from keras_noisy.quality.decisions import Decisions, read_decisions


class Findings(Ranked):
    """Finds which labels are likely wrong, and shows the samples.

    `FeatureQuality`, `PredictionQuality` and `LabelQuality` provide the
    evidence; this shared base class ranks the labels, estimates how many are
    wrong, cleans the data, shows samples, and reads a person's decisions.

    Args:
        labels: The given labels, integers of shape `(N,)`.
        evidence: Scores of each label, with the methods of `Evidence`.
        clean_labels: The true labels if known, in the shape of the labels.
            Defaults to `None`.
        class_names: A name for each class. Defaults to `None`, the numbers.
        images: A picture of each sample. Defaults to `None`, no pictures.

    Returns:
        An object with the methods below.

    Raises:
        ValueError: If an argument of a method is outside its range.

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

    def clean(
        self,
        x: Any,
        y: Any = None,
        action: str = "drop",
        n: int | None = None,
        score: str | None = None,
    ) -> tuple[Any, ...]:
        """Data to train on, with likely wrong labels removed or changed.

        Args:
            x: The samples, in the order of the labels: arrays, a table, a
                list such as a list of paths, or a nest of these.
            y: Their labels, which must equal the given labels. Defaults to
                `None`, the given labels.
            action: `"drop"` leaves the suspects out, `"relabel"` gives them
                the predicted class, `"weight"` weights every label by the
                probability that it is right, and `"soft"` returns the
                probabilities of all classes. If samples have several labels,
                `"drop"` sets the label to `ignore_class` and keeps the sample.
                Defaults to `"drop"`.
            n: Number of suspects to drop or relabel. Defaults to `None`, the
                estimated number.
            score: See `scores`. Defaults to `None`, the first.

        Returns:
            `(x, y)`, or `(x, y, sample_weight)` for `"weight"`. Weights are
            float32 in the shape of the labels, and 0 where a label is
            `ignore_class`. Soft labels have one more axis for the classes, and
            come with weights of 0 and 1 if a label is `ignore_class`. With a
            single output or `multi_label` they are the probability of 1, and
            labels equal to `ignore_class` keep that value.

        Raises:
            ValueError: If `action`, `n` or `score` is not one of these, or `x`
                or `y` does not fit the labels.
        """
        return cleaned(self, x, y, action, n, score)

    def plot(
        self,
        n: int = 24,
        score: str | None = None,
        label: int | None = None,
    ) -> Any:
        """Plot the samples whose labels are most likely wrong.

        Suspected pixels are red in the picture of their sample. This needs
        matplotlib: `pip install matplotlib`.

        Args:
            n: Maximum number of suspects. Defaults to `24`.
            score: See `scores`. Defaults to `None`, the first.
            label: Only samples with this given label. Defaults to `None`, all
                labels.

        Returns:
            A `matplotlib.figure.Figure`; call its `savefig`.

        Raises:
            ValueError: If there are no pictures, or `n`, `score` or `label` is
                not one of these.
            ImportError: If matplotlib is not installed.
        """
        shown = shown_on(self, n, score, label)
        names, labels = self._names(), self.elements.labels
        predicted = self.evidence.predicted
        titles = [
            [
                *filter(None, [place]),
                f"given {names[labels[i]]}",
                f"predicted {names[predicted[i]]}",
            ]
            for i, place in zip(shown.found, shown.places(), strict=True)
        ]
        return figure(shown.pictures(), titles)

    def report(
        self,
        path: str | os.PathLike,
        n: int | None = 500,
        score: str | None = None,
        title: str = "Label quality",
        texts: Any = None,
    ) -> Path:
        """Write a page on which a person reviews the suspects.

        The page is one HTML file that works offline. It shows the pictures
        with given label, predicted label and scores, filters and sorts them,
        takes a decision to keep, drop or relabel each, and downloads these
        decisions for `decisions`. If labels have two or more axes per sample,
        as for pixels, each sample is shown once, with its suspects in red, to
        keep or to drop. Pictures need Pillow: `pip install pillow`.

        Args:
            path: The file to write.
            n: Maximum number of suspects to show; `None` is the estimated
                number of wrong labels. Defaults to `500`.
            score: See `scores`. Defaults to `None`, the first.
            title: The title of the page. Defaults to `"Label quality"`.
            texts: Texts to show with or without pictures: a text for each
                sample, or a word for each label, shown with the words around
                it. Padding at the end needs no word. Defaults to `None`.

        Returns:
            The path.

        Raises:
            ValueError: If `n` or `score` is not one of these, or a text is
                missing.
            ImportError: If pictures are to be shown without Pillow.
        """
        path, score = path_of(path), self._named(score)
        page = report_page(
            shown_on(self, n, score, texts=texts),
            score=score,
            title=title,
            class_names=self._names(),
            warning=self.warning(),
        )
        path.write_text(page, encoding="utf-8")
        return path

    def decisions(self, path: str | os.PathLike) -> Decisions:
        """Read the decisions that a person made on the page of `report`.

        Args:
            path: The file `decisions.csv` that the page downloads, with the
                columns `index`, `decision` (keep, drop or relabel), `given`,
                `new` and `data`, a key of the labels, of the names of the
                files and of some pictures.

        Returns:
            A `Decisions`, whose `apply` cleans the data.

        Raises:
            ValueError: If the file belongs to other labels or pictures, or a
                line is not a decision.
        """
        key = fingerprint(self.labels, self.images)
        # A LabelQuality may get the names only in its first epoch.
        is_known = self.elements.multi_label or self.class_names is not None
        num_classes = len(self._names()) if is_known else HIGHEST
        return read_decisions(path, self.elements, num_classes, key)

    def given(self, y: Any) -> np.ndarray:
        """`y` as an array, if it equals the given labels."""
        return own_labels(y, self.elements)
