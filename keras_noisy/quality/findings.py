"""Which labels are wrong, how many, and the data without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_noisy._label_arrays import HIGHEST
from keras_noisy.quality._clean import cleaned, own_labels
from keras_noisy.quality._pictures import figure
from keras_noisy.quality._ranked import Ranked
from keras_noisy.quality._report import fingerprint, report_page
from keras_noisy.quality._shown import shown_on
from keras_noisy.quality.decisions import Decisions, read_decisions


class Findings(Ranked):
    """Answers which labels are likely wrong, and shows the samples.

    The part that `FeatureQuality`, `PredictionQuality` and `LabelQuality`
    share: they bring the evidence, and this ranks, estimates, cleans, shows,
    and reads what a person decided.

    Args:
        labels: The given labels, integers of shape `(N,)`.
        evidence: Scores of each label, with the methods of `Evidence`.
        clean_labels: The true labels, if they are known, in the shape of
            the labels. Defaults to `None`.
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
                the predicted class, `"weight"` weights every label by the
                probability that it is right, and `"soft"` gives the
                probabilities of all classes. Where samples have several
                labels none of these can be left out, and `"drop"` makes it
                the `ignore_class`. Defaults to `"drop"`.
            n: Number of suspects, for the first two. Defaults to `None`, the
                estimated number.
            score: See `scores`. Defaults to `None`, the first.

        Returns:
            `(x, y)`, or `(x, y, sample_weight)` for `"weight"`; weights are
            float32 in the shape of the labels, 0 where these are
            `ignore_class`. Soft labels have one more axis, of the classes, and
            come with weights of 0 and 1 if a label is `ignore_class`; those of
            a single output or of several labels are the probability of 1, and
            what is `ignore_class` stays it.
        """
        return cleaned(self, x, y, action, n, score)

    def plot(
        self,
        n: int = 24,
        score: str | None = None,
        label: int | None = None,
    ) -> Any:
        """Plot the samples whose labels are most likely wrong.

        Suspected pixels are red in the picture of their sample. Needs
        matplotlib: `pip install matplotlib`.

        Args:
            n: How many, at most. Defaults to `24`.
            score: See `scores`. Defaults to `None`, the first.
            label: Only samples that were given this label. Defaults to
                `None`, all.

        Returns:
            A `matplotlib.figure.Figure`; call its `savefig`.
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
        """Write a page on which a person goes through the suspects.

        One HTML file that a browser opens without a network: the pictures
        with given and predicted label and scores, to filter and to sort, a
        decision to keep, to drop or to relabel each, and these decisions to
        download for `decisions`. Where samples have two axes of labels or
        more, as pixels, a sample is shown once, with its suspects in red, to
        keep or to drop. Pictures need Pillow: `pip install pillow`.

        Args:
            path: The file to write.
            n: How many suspects to show, at most. Defaults to `500`; `None`
                is the estimated number of wrong labels.
            score: See `scores`. Defaults to `None`, the first.
            title: The title of the page. Defaults to `"Label quality"`.
            texts: What to read on the page, beside the pictures or without
                them: a text for each sample, or a word for each label, of
                which those around are shown too. Defaults to `None`.

        Returns:
            The path.
        """
        path, score = Path(path), self._named(score)
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
        """Read what a person decided on the page of `report`.

        Args:
            path: The file `decisions.csv` that the page downloads.

        Returns:
            A `Decisions`, whose `apply` cleans the data.
        """
        key = fingerprint(self.labels, self.images)
        # A LabelQuality may learn the names with its first epoch.
        is_known = self.elements.multi_label or self.class_names is not None
        num_classes = len(self._names()) if is_known else HIGHEST
        return read_decisions(path, self.elements, num_classes, key)

    def given(self, y: Any) -> np.ndarray:
        """`y` as an array, if these are the labels known here."""
        return own_labels(y, self.elements)
